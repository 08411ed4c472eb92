// SPDX-License-Identifier: Apache-2.0
// A varve process of the tests' own: a scratch folder, a free port, started and stopped by its id.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

// At a port of the system's choice, which it gives.
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await listen(probe);
  await new Promise((done) => probe.close(done));
  return port;
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

export interface VarveOptions {
  config?: (port: number) => string; // of varve.yml
  files?: Record<string, string>; // beside it
  flags?: string[];
  prefix?: string; // of its routes: "/varve"
}

export class Varve {
  private child: ChildProcess | undefined;
  private output = "";

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly options: VarveOptions,
  ) {}

  // Its configuration may name its port, which is chosen before: where somebody else has taken that
  // meanwhile, another one is.
  static async start(options: VarveOptions = {}): Promise<Varve> {
    for (let tries = 1; ; ++tries) {
      try {
        return await Varve.startAt(await freePort(), options);
      } catch (error) {
        if (tries === 3 || !/address already in use/i.test(String(error))) throw error;
      }
    }
  }

  private static async startAt(port: number, options: VarveOptions): Promise<Varve> {
    const folder = mkdtempSync(join(tmpdir(), "varve-e2e-"));
    const varve = new Varve(folder, port, options);
    const config = options.config?.(port) ?? "global: {scrape_interval: 1h}\n";
    writeFileSync(join(folder, "varve.yml"), config);
    for (const [name, text] of Object.entries(options.files ?? {})) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    try {
      await varve.resume();
    } catch (error) {
      await varve.remove();
      throw error;
    }
    return varve;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}${this.options.prefix ?? ""}/`;
  }

  // Starts the process and waits until it answers.
  async resume(): Promise<void> {
    const binary = process.env.VARVE_E2E_BINARY;
    if (!binary) throw new Error("VARVE_E2E_BINARY is not set");
    const child = spawn(
      binary,
      [
        `--config.file=${join(this.folder, "varve.yml")}`,
        `--storage.tsdb.path=${join(this.folder, "data")}`,
        `--web.listen-address=127.0.0.1:${this.port}`,
        ...(this.options.flags ?? []),
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.child = child;
    const keep = (piece: Buffer) => {
      this.output = (this.output + piece.toString()).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    await until("varve to be ready", async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`varve ended: ${this.output}`);
      }
      return fetch(`${this.url}-/ready`).then(
        (response) => response.ok,
        () => false,
      );
    });
  }

  // Ends the process in order and waits for its end.
  async stop(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    const impatience = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(impatience);
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async json<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await fetch(this.url + path, init);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: T }).data;
  }
}
