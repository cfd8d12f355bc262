/** The admin page: what Causeway is doing, looked at every few seconds. */

import { Controls } from "./controls.js";
import { Heartbeat } from "./heartbeat.js";
import { Load } from "./load.js";
import { SessionDialog } from "./session.js";
import { Sessions } from "./sessions.js";
import { lookAtErrors, lookAtUpstreams } from "./troubles.js";

const refresh = () => heartbeat.now();
const controls = new Controls(refresh);
const load = new Load(refresh);
const session = new SessionDialog(refresh);
const sessions = new Sessions({ open: (name) => session.open(name), refresh });

const heartbeat = new Heartbeat(() =>
  Promise.all([
    controls.look(),
    load.look(),
    sessions.look(),
    session.look(),
    lookAtUpstreams(),
    lookAtErrors(load.minutes, load.words),
  ])
);

heartbeat.now();
session.begin();
