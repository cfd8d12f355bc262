/**
 * As much of XMLHttpRequest as Strophe asks of a browser, over `fetch`. The ones there are for
 * Node leave out `responseXML`, without which Strophe waits for ever.
 */
export class FetchXmlHttpRequest {
  readyState = 0;
  status = 0;
  responseText = "";
  responseXML: unknown = null;
  onreadystatechange: () => void = () => {};
  readonly #abort = new AbortController();
  readonly #headers = new Headers();
  #method = "";
  #url = "";
  #response: Response | undefined;

  open(method: string, url: string): void {
    this.#method = method;
    this.#url = url;
    this.#become(1);
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers.set(name, value);
  }

  getAllResponseHeaders(): string {
    return [...this.#response?.headers ?? []].map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
  }

  overrideMimeType(): void {}

  send(body: string): void {
    void this.#exchange(body);
  }

  abort(): void {
    this.#abort.abort();
  }

  async #exchange(body: string): Promise<void> {
    try {
      this.#response = await fetch(this.#url, {
        method: this.#method,
        headers: this.#headers,
        body,
        signal: this.#abort.signal,
      });
      this.responseText = await this.#response.text();
    } catch {
      // Broken off by either side: the status stays 0, and who broke off itself hears no more.
      if (!this.#abort.signal.aborted) this.#become(4);
      return;
    }
    this.responseXML = parseXml(this.responseText);
    this.status = this.#response.status;
    this.#become(4);
  }

  #become(readyState: number): void {
    this.readyState = readyState;
    this.onreadystatechange();
  }
}

/** Strophe brings a DOM with it and puts it where a browser has it. */
function parseXml(text: string): unknown {
  const { DOMParser } = globalThis as unknown as {
    DOMParser: new () => { parseFromString(text: string, type: string): unknown };
  };
  return new DOMParser().parseFromString(text, "text/xml");
}
