// A client made of gloox that speaks by lines, as line_client.ts has them:
//
//   gloox_client pipelining|persistent|legacy http://ADDRESS:PORT JID PASSWORD
//
// What gloox logs goes to the standard error.

#include <gloox/base64.h>
#include <gloox/client.h>
#include <gloox/connectionbosh.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/error.h>
#include <gloox/eventhandler.h>
#include <gloox/loghandler.h>
#include <gloox/message.h>
#include <gloox/messagehandler.h>
#include <gloox/presencehandler.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>

using namespace gloox;

// Milliseconds for which it waits for a line before it looks at its connections again: gloox reads
// one of them each time, and one time it opens one and the next it sends on it.
const int GLANCE = 5;

// Glances in which gloox has polled again after an answer.
const int SETTLING = 4;

// A TCP connection. gloox has two, or one when it pipelines, and in its mode "legacy" it closes them
// as they are answered. What it says when it logs out is lost if the one that it takes is closed.
class Tcp : public ConnectionTCPClient {
 public:
  Tcp(const LogSink& log, const std::string& host, int port)
      : ConnectionTCPClient(log, host, port) {
    all.insert(this);
  }

  virtual ~Tcp() { all.erase(this); }

  virtual ConnectionBase* newInstance() const { return new Tcp(m_logInstance, m_server, m_port); }

  static bool allOpen() {
    return std::all_of(all.begin(), all.end(),
                       [](const Tcp* tcp) { return tcp->state() == StateConnected; });
  }

 private:
  static std::set<const Tcp*> all;
};

std::set<const Tcp*> Tcp::all;

class Chat : public ConnectionListener,
             public MessageHandler,
             public PresenceHandler,
             public EventHandler,
             public LogHandler {
 public:
  explicit Chat(Client& client) : client_(client) {}

  int run() {
    while (error_ == ConnNoError) {
      // What it returns is about the TCP connection that it looked at, which may be a spare one.
      client_.recv(0);
      if (settling_ > 0) leave();
      if (!hear()) return 2;
    }
    if (error_ == ConnUserDisconnected) {
      std::cout << "left" << std::endl;
      return 0;
    }
    std::cout << "failed " << condition() << std::endl;
    return 1;
  }

  virtual void onConnect() { std::cout << "connected " << client_.jid().full() << std::endl; }

  virtual void onDisconnect(ConnectionError error) { error_ = error; }

  virtual bool onTLSConnect(const CertInfo&) { return false; }

  virtual void handleMessage(const Message& message, MessageSession*) {
    if (message.body().empty()) return;
    std::cout << "message " << message.from().full() << ' '
              << (message.id().empty() ? "-" : message.id()) << ' '
              << Base64::encode64(message.body()) << std::endl;
  }

  virtual void handlePresence(const Presence& presence) {
    if (presence.from() == client_.jid() || presence.subtype() > Presence::Unavailable) return;
    // Of somebody who has no resource, which is how a server answers its probe.
    if (presence.from().resource().empty()) return;
    std::cout << "presence " << presence.from().full() << ' '
              << (presence.subtype() == Presence::Unavailable ? "unavailable" : "available") << ' '
              << Base64::encode64(presence.status()) << std::endl;
  }

  virtual void handleEvent(const Event& event) {
    if (leaving_) {
      settling_ = SETTLING;
      return;
    }
    if (event.eventType() == Event::PingPong) std::cout << "answered result" << std::endl;
    if (event.eventType() == Event::PingError) std::cout << "answered error" << std::endl;
  }

  virtual void handleLog(LogLevel, LogArea area, const std::string& message) {
    std::cerr << area << ' ' << message << std::endl;
  }

 private:
  // Does what it has been told to, if anything; false: nobody is there any more.
  bool hear() {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, GLANCE) <= 0) return true;
    char buffer[65536];
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    if (count <= 0) return false;
    input_.append(buffer, count);
    for (size_t end; (end = input_.find('\n')) != std::string::npos;) {
      obey(input_.substr(0, end));
      input_.erase(0, end + 1);
    }
    return true;
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string word, to, text;
    words >> word;
    if (word == "send") {
      words >> to >> text;
      client_.send(Message(Message::Chat, JID(to), Base64::decode64(text)));
    } else if (word == "ask" || word == "leave") {
      leaving_ = word == "leave";
      ask();
    } else if (word == "show") {
      words >> text;
      client_.setPresence(Presence::Available, 0, Base64::decode64(text));
    }
  }

  void ask() { client_.xmppPing(JID(client_.jid().server()), this); }

  // Its question is answered, so that gloox has at most one request open, and may send another.
  // Whether the connection that it would take for it is open changes from answer to answer.
  void leave() {
    if (Tcp::allOpen()) {
      settling_ = 0;
      client_.disconnect();
    } else if (--settling_ == 0) {
      ask();
    }
  }

  std::string condition() const {
    if (error_ == ConnAuthenticationFailed && client_.authError() == SaslNotAuthorized) {
      return "not-authorized";
    }
    std::ostringstream numbers;
    numbers << "ConnectionError " << error_ << ", AuthenticationError " << client_.authError();
    return numbers.str();
  }

  Client& client_;
  ConnectionError error_ = ConnNoError;
  bool leaving_ = false;
  int settling_ = 0;
  std::string input_;
};

int main(int count, char** arguments) {
  const std::map<std::string, ConnectionBOSH::ConnMode> modes = {
    {"pipelining", ConnectionBOSH::ModePipelining},
    {"legacy", ConnectionBOSH::ModeLegacyHTTP},
    {"persistent", ConnectionBOSH::ModePersistentHTTP},
  };
  if (count != 5 || modes.count(arguments[1]) == 0) {
    std::cerr << "gloox_client pipelining|persistent|legacy URL JID PASSWORD" << std::endl;
    return 2;
  }
  const std::string url(arguments[2]);
  const size_t address = url.find("//") + 2, colon = url.rfind(':');
  const std::string host = url.substr(address, colon - address);
  const JID jid(arguments[3]);
  Client client(jid, arguments[4]);
  Chat chat(client);
  client.registerConnectionListener(&chat);
  client.registerMessageHandler(&chat);
  client.registerPresenceHandler(&chat);
  client.logInstance().registerLogHandler(LogLevelDebug, LogAreaAll, &chat);
  Tcp* tcp = new Tcp(client.logInstance(), host, std::atoi(url.c_str() + colon + 1));
  ConnectionBOSH* bosh = new ConnectionBOSH(&client, tcp, client.logInstance(), host, jid.server());
  bosh->setMode(modes.at(arguments[1]));
  client.setConnectionImpl(bosh);
  if (!client.connect(false)) return 1;
  return chat.run();
}
