/*
 * A client made of libpurple 2 that speaks by lines, as line_client.ts has them:
 *
 *   purple_client http[s]://HOST:PORT JID PASSWORD
 *
 * What libpurple logs goes to the standard error, and what it keeps to $HOME, where the certificates
 * of authorities may be that it is to trust.
 */

#include <purple.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static GMainLoop *loop;
static PurpleAccount *account;

/* What it ends with; it has failed if it has not left. */
static int code = 1;

/* Why the server would not let it in. */
static char *refusal;

/* Of whom the presence is that is being read. */
static char *present;

/* All names are names of this machine: none is asked for. */

static gboolean resolve(PurpleDnsQueryData *query, PurpleDnsQueryResolvedCallback resolved,
                        PurpleDnsQueryFailedCallback failed) {
  struct sockaddr_in *address = g_new0(struct sockaddr_in, 1);
  (void) failed;
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->sin_port = htons(purple_dnsquery_get_port(query));
  resolved(query, g_slist_append(g_slist_append(NULL, GSIZE_TO_POINTER(sizeof *address)), address));
  return TRUE;
}

static PurpleDnsQueryUiOps names = { .resolve_host = resolve };

/* The event loop, as libpurple's own example has it. */

typedef struct {
  PurpleInputFunction function;
  gpointer data;
} Watch;

static gboolean watch_invoke(GIOChannel *source, GIOCondition condition, gpointer data) {
  Watch *watch = data;
  PurpleInputCondition conditions = 0;
  if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)) conditions |= PURPLE_INPUT_READ;
  if (condition & (G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL)) conditions |= PURPLE_INPUT_WRITE;
  watch->function(watch->data, g_io_channel_unix_get_fd(source), conditions);
  return TRUE;
}

static guint watch_add(int fd, PurpleInputCondition wanted, PurpleInputFunction function,
                       gpointer data) {
  Watch *watch = g_new0(Watch, 1);
  GIOChannel *channel = g_io_channel_unix_new(fd);
  GIOCondition condition = 0;
  guint id;
  watch->function = function;
  watch->data = data;
  if (wanted & PURPLE_INPUT_READ) condition |= G_IO_IN | G_IO_HUP | G_IO_ERR;
  if (wanted & PURPLE_INPUT_WRITE) condition |= G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL;
  id = g_io_add_watch_full(channel, G_PRIORITY_DEFAULT, condition, watch_invoke, watch, g_free);
  g_io_channel_unref(channel);
  return id;
}

/* For a second libpurple collects what it has to send, each time. That is much for a test. */
static guint hurry(guint seconds, GSourceFunc function, gpointer data) {
  return g_timeout_add(seconds == 1 ? 100 : seconds * 1000, function, data);
}

static PurpleEventLoopUiOps event_loop = {
  .timeout_add = g_timeout_add,
  .timeout_remove = g_source_remove,
  .input_add = watch_add,
  .input_remove = g_source_remove,
  .timeout_add_seconds = hurry,
};

static void debug_print(PurpleDebugLevel level, const char *category, const char *line) {
  (void) level;
  fprintf(stderr, "%s: %s", category, line);
}

static gboolean debug_wanted(PurpleDebugLevel level, const char *category) {
  (void) level;
  (void) category;
  return TRUE;
}

static PurpleDebugUiOps debug = { .print = debug_print, .is_enabled = debug_wanted };

static void ui_init(void) { purple_debug_set_ui_ops(&debug); }

static PurpleCoreUiOps core = { .debug_ui_init = ui_init };

/* Whether to take a certificate that it does not trust, or to send the password in clear: no. */
static void *refuse(const char *title, const char *primary, const char *secondary,
                    int default_action, PurpleAccount *asked, const char *who,
                    PurpleConversation *conversation, void *data, size_t count, va_list actions) {
  (void) title, (void) primary, (void) secondary, (void) default_action, (void) asked, (void) who,
    (void) conversation, (void) count;
  /* The first one is to accept it, and then comes to reject it. */
  va_arg(actions, const char *);
  va_arg(actions, PurpleRequestActionCb);
  va_arg(actions, const char *);
  va_arg(actions, PurpleRequestActionCb)(data, 1);
  return NULL;
}

static PurpleRequestUiOps requests = { .request_action = refuse };

/* What it says. */

/* Says a line that ends with a text. */
static void say(const char *words, const char *text) {
  char *encoded = g_base64_encode((const guchar *) text, strlen(text));
  printf("%s %s\n", words, encoded);
  g_free(encoded);
}

static void signed_on(PurpleConnection *connection) {
  printf("connected %s\n", purple_connection_get_display_name(connection));
}

static void received(PurpleAccount *receiver, const char *sender, const char *html) {
  (void) receiver;
  /* It writes <BR>, and unescapes <br>. */
  char *broken = purple_strreplace(html, "<BR>", "<br>");
  char *plain = purple_unescape_html(broken);
  char *words = g_strdup_printf("message %s -", sender);
  say(words, plain);
  g_free(words);
  g_free(plain);
  g_free(broken);
}

static void say_presence(PurpleBuddy *buddy) {
  /* Of somebody who has no resource, which is how a server answers its probe. */
  if (strchr(present, '/') == NULL) return;
  PurplePresence *presence = purple_buddy_get_presence(buddy);
  PurpleStatus *status = purple_presence_get_active_status(presence);
  const char *text = purple_status_get_attr_string(status, "message");
  char *words = g_strdup_printf("presence %s %s", present,
                                purple_presence_is_online(presence) ? "available" : "unavailable");
  say(words, text == NULL ? "" : text);
  g_free(words);
}

static void status_changed(PurpleBuddy *buddy, PurpleStatus *before, PurpleStatus *after) {
  (void) before;
  (void) after;
  say_presence(buddy);
}

static gboolean receiving_presence(PurpleConnection *connection, const char *type,
                                   const char *from) {
  (void) connection;
  (void) type;
  g_free(present);
  present = g_strdup(from);
  return FALSE;
}

static gboolean receiving_iq(PurpleConnection *connection, const char *type, const char *id) {
  (void) connection;
  if (!purple_strequal(id, "asked")) return FALSE;
  printf("answered %s\n", type);
  return TRUE;
}

static void receiving(PurpleConnection *connection, xmlnode **packet) {
  (void) connection;
  if (*packet == NULL || !purple_strequal((*packet)->name, "failure")) return;
  xmlnode *child = (*packet)->child;
  while (child != NULL && child->type != XMLNODE_TYPE_TAG) child = child->next;
  if (child != NULL) refusal = g_strdup(child->name);
}

static void broken(PurpleConnection *connection, PurpleConnectionError reason, const char *why) {
  (void) connection;
  (void) reason;
  printf("failed %s\n", refusal == NULL ? why : refusal);
  g_main_loop_quit(loop);
}

/* What it is told. */

static char *decode(const char *text) {
  gsize length;
  guchar *decoded = g_base64_decode(text, &length);
  char *plain = g_strndup((char *) decoded, length);
  g_free(decoded);
  return plain;
}

/* As a user would have typed it. */
static char *decode_html(const char *text) {
  char *plain = decode(text);
  char *escaped = g_markup_escape_text(plain, -1);
  char *html = purple_strdup_withhtml(escaped);
  g_free(escaped);
  g_free(plain);
  return html;
}

static void obey(const char *line) {
  char **words = g_strsplit(line, " ", 3);
  PurpleConnection *connection = purple_account_get_connection(account);
  if (purple_strequal(words[0], "send")) {
    char *html = decode_html(words[2]);
    PurpleConversation *conversation =
      purple_conversation_new(PURPLE_CONV_TYPE_IM, account, words[1]);
    /* It may be one with another resource. */
    purple_conversation_set_name(conversation, words[1]);
    purple_conv_im_send(PURPLE_CONV_IM(conversation), html);
    g_free(html);
  } else if (purple_strequal(words[0], "ask")) {
    static const char ping[] =
      "<iq type='get' id='asked' to='example.test'><ping xmlns='urn:xmpp:ping'/></iq>";
    PurplePluginProtocolInfo *jabber = PURPLE_PLUGIN_PROTOCOL_INFO(connection->prpl);
    jabber->send_raw(connection, ping, strlen(ping));
  } else if (purple_strequal(words[0], "show")) {
    char *html = decode_html(words[1]);
    purple_account_set_status(account, "available", TRUE, "message", html, NULL);
    g_free(html);
  } else if (purple_strequal(words[0], "leave")) {
    purple_account_disconnect(account);
    printf("left\n");
    code = 0;
    g_main_loop_quit(loop);
  }
  g_strfreev(words);
}

static gboolean hear(GIOChannel *input, GIOCondition condition, gpointer data) {
  static GString *heard;
  char buffer[65536];
  ssize_t count = read(g_io_channel_unix_get_fd(input), buffer, sizeof buffer);
  (void) condition;
  (void) data;
  if (count <= 0) {
    g_main_loop_quit(loop);
    return FALSE;
  }
  if (heard == NULL) heard = g_string_new(NULL);
  g_string_append_len(heard, buffer, count);
  for (char *end; (end = strchr(heard->str, '\n')) != NULL;) {
    *end = '\0';
    obey(heard->str);
    g_string_erase(heard, 0, end + 1 - heard->str);
  }
  return TRUE;
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "purple_client URL JID PASSWORD\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  loop = g_main_loop_new(NULL, FALSE);
  GIOChannel *input = g_io_channel_unix_new(STDIN_FILENO);
  g_io_add_watch(input, G_IO_IN | G_IO_HUP, hear, NULL);

  purple_util_set_user_dir(g_getenv("HOME"));
  purple_debug_set_verbose(TRUE);
  purple_core_set_ui_ops(&core);
  purple_eventloop_set_ui_ops(&event_loop);
  purple_dnsquery_set_ui_ops(&names);
  purple_request_set_ui_ops(&requests);
  if (!purple_core_init("causeway-test")) return 1;
  purple_set_blist(purple_blist_new());
  /* It would look for one in the DNS, by itself. */
  purple_network_set_stun_server("127.0.0.1");
  purple_certificate_add_ca_search_path(g_getenv("HOME"));

  int handle;
  void *connections = purple_connections_get_handle();
  void *buddies = purple_blist_get_handle();
  void *jabber = purple_find_prpl("prpl-jabber");
  const struct {
    void *instance;
    const char *signal;
    PurpleCallback callback;
  } signals[] = {
    { connections, "signed-on", PURPLE_CALLBACK(signed_on) },
    { connections, "connection-error", PURPLE_CALLBACK(broken) },
    { purple_conversations_get_handle(), "received-im-msg", PURPLE_CALLBACK(received) },
    { buddies, "buddy-signed-on", PURPLE_CALLBACK(say_presence) },
    { buddies, "buddy-signed-off", PURPLE_CALLBACK(say_presence) },
    { buddies, "buddy-status-changed", PURPLE_CALLBACK(status_changed) },
    { jabber, "jabber-receiving-presence", PURPLE_CALLBACK(receiving_presence) },
    { jabber, "jabber-receiving-iq", PURPLE_CALLBACK(receiving_iq) },
    { jabber, "jabber-receiving-xmlnode", PURPLE_CALLBACK(receiving) },
  };
  for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
    purple_signal_connect(signals[i].instance, signals[i].signal, &handle, signals[i].callback,
                          NULL);
  }

  char *url = g_strdup_printf("%s/http-bind", arguments[1]);
  account = purple_account_new(arguments[2], "prpl-jabber");
  purple_account_set_password(account, arguments[3]);
  purple_account_set_string(account, "bosh_url", url);
  if (!g_str_has_prefix(url, "https:")) {
    /* Its default is to require TLS. */
    purple_account_set_string(account, "connection_security", "opportunistic_tls");
  }
  /* Its default is a host of the Internet. */
  purple_account_set_string(account, "ft_proxies", "");
  purple_accounts_add(account);
  purple_account_set_enabled(account, "causeway-test", TRUE);
  purple_savedstatus_activate(purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE));
  g_main_loop_run(loop);

  purple_signals_disconnect_by_handle(&handle);
  purple_core_quit();
  g_free(url);
  return code;
}
