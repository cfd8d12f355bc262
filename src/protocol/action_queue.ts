/**
 * What a machine asks of its shell, in order, until the shell takes it away. A list and no array: queues are
 * emptied at once, and an array that was emptied takes room for seventeen when the next one comes.
 */
export class ActionQueue<Action> {
  #first: Entry<Action> | undefined;
  #last: Entry<Action> | undefined;

  push(action: Action): void {
    const entry = { action, next: undefined };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
  }

  /** The next action; `undefined` when there is none. */
  poll(): Action | undefined {
    const entry = this.#first;
    if (entry === undefined) return undefined;
    this.#first = entry.next;
    if (this.#first === undefined) this.#last = undefined;
    return entry.action;
  }
}

interface Entry<Action> {
  readonly action: Action;
  next: Entry<Action> | undefined;
}
