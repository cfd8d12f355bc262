"""A client on nbxmpp's WebSocket that speaks by lines, as line_client.ts says.

    python3 nbxmpp_client.py ws://HOST:PORT/PATH JID PASSWORD
    python3 nbxmpp_client.py --authority=CA.pem https://HOST:PORT JID PASSWORD

By the second it finds the WebSocket by host-meta. Whatever it then asks for by HTTPS or WSS of
whichever host, it asks HOST:PORT for it, whose certificate must be of an authority in CA.pem:
nothing is looked up, and nothing goes anywhere else.

When its connection is lost it connects again and again, as Gajim does, for nbxmpp leaves that to
the program. To resume the stream, and to send again what the server has not got, it does itself.
"""
import base64
import logging
import sys
import threading
from urllib.parse import urlsplit

import gi

gi.require_version("Soup", "3.0")
from gi.repository import Gio, GLib, Soup
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.protocol import JID, Iq, Message, Presence
from nbxmpp.structs import StanzaHandler


# Milliseconds from a lost connection to the next.
RECONNECT = 100


def say(*words):
    print(*words, flush=True)


def encode(text):
    return base64.b64encode(text.encode()).decode()


def decode(text):
    return base64.b64decode(text).decode()


class Chat:
    def __init__(self, loop, jid, password):
        self._loop = loop
        self._leaving = False
        self.client = client = Client()
        client.set_domain(jid.domain)
        client.set_username(jid.localpart)
        client.set_resource(jid.resource)
        client.set_password(password)
        # It would also try TCP, at what SRV says.
        client.set_protocols([ConnectionProtocol.WEBSOCKET])
        client.subscribe("connected", self._on_connected)
        client.subscribe("resume-failed", self._on_failed)
        client.subscribe("connection-failed", self._on_lost)
        client.subscribe("disconnected", self._on_disconnected)
        client.register_handler(StanzaHandler("message", self._on_message))
        client.register_handler(StanzaHandler("presence", self._on_presence))

    def obey(self, line):
        word, *rest = line.split()
        if word == "send":
            to, text = rest
            self.client.send_stanza(Message(to=to, typ="chat", body=decode(text)))
        elif word == "ask":
            question = Iq("get", to=self.client.domain)
            question.addChild("ping", namespace="urn:xmpp:ping")
            self.client.send_stanza(question, callback=self._on_answer)
        elif word == "show":
            self.client.send_stanza(Presence(status=decode(rest[0] if rest else "")))
        elif word == "leave":
            self._leaving = True
            self.client.disconnect()

    def _on_connected(self, client, _signal):
        client.send_stanza(Presence())
        say("connected", client.get_bound_jid())

    def _on_failed(self, client, signal):
        self._end("failed", client.get_error()[1] or signal)

    def _on_disconnected(self, client, _signal):
        if self._leaving:
            self._end("left")
        elif client.has_error:
            self._on_failed(client, "disconnected")
        else:
            self._on_lost(client, "disconnected")

    def _on_lost(self, client, signal):
        if client.resumeable:
            GLib.timeout_add(RECONNECT, client.connect)
        else:
            self._on_failed(client, signal)

    def _end(self, *words):
        say(*words)
        self._loop.quit()

    def _on_message(self, _client, stanza, _properties):
        body = stanza.getBody()
        if body and stanza.getType() != "error":
            say("message", stanza.getFrom(), stanza.getID() or "-", encode(body))

    def _on_presence(self, client, stanza, _properties):
        kind = stanza.getType() or "available"
        if stanza.getFrom() != client.get_bound_jid() and kind in ("available", "unavailable"):
            say("presence", stanza.getFrom(), kind, encode(stanza.getStatus() or ""))

    def _on_answer(self, _client, stanza):
        say("answered", stanza.getType())


def read_lines(chat, loop):
    for line in sys.stdin:
        GLib.idle_add(chat.obey, line)
    GLib.idle_add(loop.quit)


def lead(where, authority, domain):
    """Has nbxmpp make all its sessions of libsoup so that they are led to one place."""
    address = Gio.InetSocketAddress.new_from_string(where.hostname, where.port)
    trusted = Gio.TlsFileDatabase.new(authority)

    class Place(Gio.NetworkAddress, Gio.SocketConnectable):
        """Has the name that the certificate must have, and no need to look it up."""

        def do_enumerate(self):
            return address.enumerate()

        def do_proxy_enumerate(self):
            return address.enumerate()

    class Session(Soup.Session):
        def __init__(self):
            place = Place(hostname=domain, port=443)
            super().__init__(remote_connectable=place, tls_database=trusted)

    Soup.Session = Session


def main():
    # At INFO it would also have libsoup write to the standard output.
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    *options, url, jid, password = sys.argv[1:]
    jid = JID.from_string(jid)
    if options:
        lead(urlsplit(url), options[0].removeprefix("--authority="), jid.domain)
    loop = GLib.MainLoop()
    chat = Chat(loop, jid, password)
    if not options:
        chat.client.set_custom_host(url, ConnectionProtocol.WEBSOCKET, ConnectionType.PLAIN)
    chat.client.connect()
    threading.Thread(target=read_lines, args=[chat, loop], daemon=True).start()
    loop.run()


main()
