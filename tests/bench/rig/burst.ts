/** In the id of a message for which the stub sends {@link BURST_STANZAS} ones, that one as the last. */
export const BURST_ID = "many-";
export const BURST_STANZAS = 50;
