# A client on xmpp4r's BOSH that speaks by lines, as line_client.ts says.
#
#     ruby xmpp4r.rb [--route=HOST] URL JID PASSWORD
#
# URL is the address of BOSH, HOST what it asks the connection manager to connect to.

require "base64"
require "xmpp4r"
require "xmpp4r/httpbinding"

# Both ends of what the test reads and writes are ASCII.
def say(*words)
  $stdout.write("#{words.join(" ")}\n")
  $stdout.flush
end

def encode(text)
  Base64.strict_encode64(text)
end

def decode(text)
  Base64.strict_decode64(text || "").force_encoding(Encoding::UTF_8)
end

def hear_message(message)
  return if message.body.nil? || message.type == :error
  say("message", message.from, message.id || "-", encode(message.body))
end

def hear_presence(presence, own)
  return if presence.from == own || ![nil, :unavailable].include?(presence.type)
  say("presence", presence.from, presence.type || "available", encode(presence.status || ""))
end

def ask(client)
  question = Jabber::Iq.new(:get, client.jid.domain)
  question.add_element("ping", "xmlns" => "urn:xmpp:ping")
  say("answered", client.send_with_id(question).type)
rescue Jabber::ServerError
  say("answered", "error")
end

Jabber.debug = true
route = ARGV.first.start_with?("--route=") ? ARGV.shift.delete_prefix("--route=") : nil
url, jid, password = ARGV
client = Jabber::HTTPBinding::Client.new(jid)
client.add_message_callback { |message| hear_message(message) }
client.add_presence_callback { |presence| hear_presence(presence, client.jid) }
# It hands this to whoever asks for all XML and goes on: it does not look at the type of a <body/>.
client.add_xml_callback do |element|
  say("failed", element.elements.first.name) if element.expanded_name == "stream:error"
end
begin
  client.connect(url, route)
  client.auth(password)
rescue StandardError => e
  say("failed", e.message)
  exit!(1)
end
client.send(Jabber::Presence.new)
say("connected", client.jid)

$stdin.each_line(chomp: true) do |line|
  word, *rest = line.split
  case word
  when "send"
    to, text = rest
    client.send(Jabber::Message.new(to, decode(text)).set_type(:chat))
  when "ask"
    ask(client)
  when "show"
    client.send(Jabber::Presence.new(nil, decode(rest.first)))
  when "leave"
    client.close
    say("left")
    exit!(0)
  end
end
