// A client made of gloox, for tests/interop/gloox_test.ts:
//
//   gloox_client MODE PORT JID PASSWORD TEXT
//
// logs in by BOSH at 127.0.0.1:PORT, sends itself the text when nothing has happened for a while,
// so that a request of its own is held by then, and logs out some time after it has come. It says
// "connected JID", "message TEXT" and "disconnected CODE" (17: by its own wish). What gloox logs
// goes to the standard error.

#include <gloox/client.h>
#include <gloox/connectionbosh.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/loghandler.h>
#include <gloox/message.h>
#include <gloox/messagehandler.h>

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

using namespace gloox;

// Microseconds for which a client that is idle waits for something to happen.
const int QUIET = 200000;

// Seconds for all of it.
const int PATIENCE = 60;

class Chat : public ConnectionListener, public MessageHandler, public LogHandler {
 public:
  explicit Chat(Client& client) : client_(client) {}

  int run(const std::string& text) {
    bool sent = false;
    while (error_ == ConnNoError) {
      events_ = 0;
      // What it returns is about the TCP connection that it looked at, which may be a spare one.
      client_.recv(QUIET);
      if (!online_ || events_ > 0) continue;
      if (!sent) client_.send(Message(Message::Chat, client_.jid(), text));
      else if (heard_) client_.disconnect();
      sent = true;
    }
    std::cout << "disconnected " << error_ << std::endl;
    return error_ == ConnUserDisconnected ? 0 : 1;
  }

  virtual void onConnect() {
    ++events_;
    online_ = true;
    std::cout << "connected " << client_.jid().full() << std::endl;
  }

  virtual void onDisconnect(ConnectionError error) { error_ = error; }

  virtual bool onTLSConnect(const CertInfo&) { return false; }

  virtual void handleMessage(const Message& message, MessageSession*) {
    ++events_;
    heard_ = true;
    std::cout << "message " << message.body() << std::endl;
  }

  virtual void handleLog(LogLevel, LogArea area, const std::string& message) {
    ++events_;
    std::cerr << area << ' ' << message << std::endl;
  }

 private:
  Client& client_;
  ConnectionError error_ = ConnNoError;
  bool online_ = false;
  bool heard_ = false;
  int events_ = 0;
};

int main(int count, char** arguments) {
  const std::map<std::string, ConnectionBOSH::ConnMode> modes = {
    {"pipelining", ConnectionBOSH::ModePipelining},
    {"legacy", ConnectionBOSH::ModeLegacyHTTP},
    {"persistent", ConnectionBOSH::ModePersistentHTTP},
  };
  if (count != 6 || modes.count(arguments[1]) == 0) {
    std::cerr << "gloox_client pipelining|legacy|persistent PORT JID PASSWORD TEXT" << std::endl;
    return 2;
  }
  alarm(PATIENCE);
  const JID jid(arguments[3]);
  Client client(jid, arguments[4]);
  Chat chat(client);
  client.registerConnectionListener(&chat);
  client.registerMessageHandler(&chat);
  client.logInstance().registerLogHandler(LogLevelDebug, LogAreaAll, &chat);
  client.setTls(TLSDisabled);
  ConnectionTCPClient* tcp =
    new ConnectionTCPClient(client.logInstance(), "127.0.0.1", std::atoi(arguments[2]));
  ConnectionBOSH* bosh =
    new ConnectionBOSH(&client, tcp, client.logInstance(), "127.0.0.1", jid.server());
  bosh->setMode(modes.at(arguments[1]));
  client.setConnectionImpl(bosh);
  if (!client.connect(false)) return 1;
  return chat.run(arguments[5]);
}
