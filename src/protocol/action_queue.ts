/** What a machine asks of its shell, in order, until the shell takes it away. */
export class ActionQueue<Action> {
  readonly #actions: Action[] = [];
  #next = 0;

  push(action: Action): void {
    this.#actions.push(action);
  }

  /** The next action; `undefined` when there is none. */
  poll(): Action | undefined {
    const action = this.#actions[this.#next];
    if (action === undefined) this.#actions.length = this.#next = 0;
    else this.#next++;
    return action;
  }
}
