// SPDX-License-Identifier: Apache-2.0
// Server-sent events out of a stream's text, as the HTML standard cuts them. Unlike EventSource the
// caller makes the request: it may be a form, and a refusal has a status and a text.

export interface StreamEvent {
  event: string;
  data: string;
  id: string;
}

// Takes text in any pieces and gives each event once it is whole. An event that grows past
// `charsMax` is an error of the server's: the reader throws.
export class EventReader {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id = "";
  private size = 0;

  constructor(private readonly charsMax = 16 << 20) {}

  push(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    this.rest += text;
    let from = 0;
    for (;;) {
      const end = this.rest.indexOf("\n", from);
      if (end < 0) break;
      const line = this.rest.slice(from, end).replace(/\r$/, "");
      from = end + 1;
      const event = this.line(line);
      if (event) events.push(event);
    }
    this.rest = this.rest.slice(from);
    if (this.rest.length + this.size > this.charsMax) throw new Error("an event is too long");
    return events;
  }

  private line(line: string): StreamEvent | undefined {
    if (line === "") {
      const event = { event: this.event || "message", data: this.data.join("\n"), id: this.id };
      const whole = this.data.length > 0;
      this.event = "";
      this.data = [];
      this.size = 0;
      return whole ? event : undefined;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    else if (name === "id") this.id = value;
    else if (name === "data") {
      this.data.push(value);
      this.size += value.length;
    }
    return undefined;
  }
}
