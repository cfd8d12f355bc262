/*
 * A client made of libpurple 2, for tests/interop/libpurple_test.ts:
 *
 *   purple_client PORT JID PASSWORD [TEXT]
 *
 * logs in by BOSH at 127.0.0.1:PORT, sends itself the text when nothing has happened for a while,
 * so that a request of its own is held by then, and logs out some time after it has come. It says
 * "connected JID", "message TEXT" and "disconnected" with what went wrong, if anything did. What
 * libpurple logs goes to the standard error, and what it keeps to $HOME.
 */

#include <purple.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Microseconds. libpurple collects what it has to send for up to two seconds. */
#define QUIET 2500000

/* Seconds for all of it. */
#define PATIENCE 60

static GMainLoop *loop;
static PurpleAccount *account;
static char *text;
static gboolean failed = FALSE;

/* When something happened last. */
static gint64 latest;

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

static PurpleEventLoopUiOps event_loop = {
  .timeout_add = g_timeout_add,
  .timeout_remove = g_source_remove,
  .input_add = watch_add,
  .input_remove = g_source_remove,
  .timeout_add_seconds = g_timeout_add_seconds,
};

static void debug_print(PurpleDebugLevel level, const char *category, const char *line) {
  (void) level;
  latest = g_get_monotonic_time();
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

/* The conversation. */

static gboolean when_quiet(gpointer act) {
  if (g_get_monotonic_time() - latest < QUIET) return TRUE;
  ((void (*)(void)) act)();
  return FALSE;
}

static void say(void) {
  char *html = g_markup_escape_text(text, -1);
  PurpleConversation *conversation = purple_conversation_new(
    PURPLE_CONV_TYPE_IM, account, purple_account_get_username(account));
  purple_conv_im_send(PURPLE_CONV_IM(conversation), html);
  g_free(html);
}

static void log_out(void) { purple_account_disconnect(account); }

static void signed_on(PurpleConnection *connection) {
  printf("connected %s\n", purple_connection_get_display_name(connection));
  g_timeout_add(100, when_quiet, text == NULL ? log_out : say);
}

static void received(PurpleAccount *receiver, const char *sender, const char *html) {
  (void) receiver;
  (void) sender;
  char *plain = purple_unescape_html(html);
  printf("message %s\n", plain);
  g_free(plain);
  g_timeout_add(100, when_quiet, log_out);
}

static void broken(PurpleConnection *connection, PurpleConnectionError reason, const char *why) {
  (void) connection;
  failed = TRUE;
  printf("disconnected %d %s\n", reason, why);
  g_main_loop_quit(loop);
}

static void signed_off(PurpleConnection *connection) {
  (void) connection;
  if (failed) return;
  printf("disconnected\n");
  g_main_loop_quit(loop);
}

int main(int count, char **arguments) {
  if (count < 4) {
    fprintf(stderr, "purple_client PORT JID PASSWORD [TEXT]\n");
    return 2;
  }
  text = arguments[4];
  alarm(PATIENCE);
  setvbuf(stdout, NULL, _IOLBF, 0);
  /* Names are looked up by processes of libpurple's that somebody must see off. */
  signal(SIGCHLD, SIG_IGN);
  loop = g_main_loop_new(NULL, FALSE);

  purple_util_set_user_dir(g_getenv("HOME"));
  purple_debug_set_verbose(TRUE);
  purple_core_set_ui_ops(&core);
  purple_eventloop_set_ui_ops(&event_loop);
  if (!purple_core_init("causeway-test")) return 1;
  purple_set_blist(purple_blist_new());
  /* It would look for one in the DNS. */
  purple_network_set_stun_server("127.0.0.1");

  int handle;
  void *connections = purple_connections_get_handle();
  purple_signal_connect(connections, "signed-on", &handle, PURPLE_CALLBACK(signed_on), NULL);
  purple_signal_connect(connections, "signed-off", &handle, PURPLE_CALLBACK(signed_off), NULL);
  purple_signal_connect(connections, "connection-error", &handle, PURPLE_CALLBACK(broken), NULL);
  purple_signal_connect(purple_conversations_get_handle(), "received-im-msg", &handle,
                        PURPLE_CALLBACK(received), NULL);

  char *url = g_strdup_printf("http://127.0.0.1:%s/http-bind", arguments[1]);
  account = purple_account_new(arguments[2], "prpl-jabber");
  purple_account_set_password(account, arguments[3]);
  purple_account_set_string(account, "bosh_url", url);
  purple_account_set_string(account, "connection_security", "opportunistic_tls");
  /* Its default is a host of the Internet. */
  purple_account_set_string(account, "ft_proxies", "");
  purple_accounts_add(account);
  purple_account_set_enabled(account, "causeway-test", TRUE);
  purple_savedstatus_activate(purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE));
  if (!failed) g_main_loop_run(loop);

  purple_signals_disconnect_by_handle(&handle);
  purple_core_quit();
  g_free(url);
  return failed;
}
