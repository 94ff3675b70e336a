/**
 * What stands between the browser and the server in the tests of faults:
 * toxiproxy, a proxy that rewrites replies, and, for Firefox, the SOCKS proxy
 * that takes the browser there.
 */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, request } from "node:http";
import { connect, createServer as createListener } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const toxiproxy = process.env["CHUNKSIGN_TOXIPROXY"] ?? fileURLToPath(new URL("../../bin/toxiproxy", import.meta.url));
if (!existsSync(toxiproxy)) throw new Error(`${toxiproxy} is not there; \`make bin/toxiproxy\` makes it`);

/**
 * Finds a port that is free and whose successor is free too. Below 32768, where
 * Linux begins to take ports for connections: what listens there can be started
 * again at the same port.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

/** @param {number} port */
async function isFree(port) {
  const listener = createListener();
  try {
    listener.listen(port, "127.0.0.1");
    await once(listener, "listening");
    return true;
  } catch {
    return false;
  } finally {
    listener.close();
  }
}

/** @param {import("node:net").Server} server */
const portOf = (server) => /** @type {import("node:net").AddressInfo} */ (server.address()).port;

/** Starts toxiproxy (https://github.com/Shopify/toxiproxy). */
export async function startToxiproxy() {
  const port = await freePort();
  const child = spawn(toxiproxy, ["-host", "127.0.0.1", "-port", String(port)], { stdio: "ignore", env: { ...process.env, LOG_LEVEL: "disabled" } });
  const api = `http://127.0.0.1:${port}`;
  /** @param {string} method @param {string} path @param {unknown} [body] */
  const call = async (method, path, body) => {
    const r = await fetch(api + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!r.ok) throw new Error(`toxiproxy: ${method} ${path}: ${r.status} ${await r.text()}`);
    return r.status === 204 ? undefined : r.json();
  };
  // It does not say when it listens.
  while (!(await fetch(`${api}/version`).then((r) => r.ok, () => false))) {
    if (child.exitCode !== null) throw new Error(`toxiproxy ended with ${child.exitCode}`);
  }
  return {
    /** @param {string} name @param {number} upstream a port */
    async line(name, upstream) {
      const { listen } = await call("POST", "/proxies", { name, listen: "127.0.0.1:0", upstream: `127.0.0.1:${upstream}`, enabled: true });
      return new Line(name, Number(listen.split(":")[1]), call);
    },
    async stop() {
      child.kill("SIGKILL"); // on SIGTERM it waits for connections that browsers keep
      await once(child, "exit");
    },
  };
}

/** One way to a server, on which toxics can be put. They act on open connections too. */
export class Line {
  /**
   * @param {string} name
   * @param {number} port where it listens
   * @param {(method: string, path: string, body?: unknown) => Promise<any>} call
   */
  constructor(name, port, call) {
    this.name = name;
    this.port = port;
    this.call = call;
  }

  /**
   * Puts a toxic on the line.
   *
   * @param {"latency" | "bandwidth" | "slicer" | "timeout" | "reset_peer" | "limit_data"} type
   * @param {Record<string, number>} attributes toxiproxy's: ms, KB/s, bytes, and µs for the slicer's delay
   * @param {"upstream" | "downstream"} [stream] requests or replies
   */
  async put(type, attributes, stream = "upstream") {
    await this.call("POST", `/proxies/${this.name}/toxics`, { name: `${type}-${stream}`, type, stream, attributes });
  }

  /** @param {string} type @param {"upstream" | "downstream"} [stream] */
  async take(type, stream = "upstream") {
    await this.call("DELETE", `/proxies/${this.name}/toxics/${type}-${stream}`);
  }

  /**
   * Ends every connection, takes the toxics off, and goes to a port from now on.
   *
   * @param {number} port
   */
  async leadTo(port) {
    for (const { name } of await this.call("GET", `/proxies/${this.name}/toxics`)) await this.call("DELETE", `/proxies/${this.name}/toxics/${name}`);
    await this.call("POST", `/proxies/${this.name}`, { upstream: `127.0.0.1:${port}`, enabled: true });
    await this.cut();
  }

  /** Ends every connection and takes no new one. */
  async down() {
    await this.call("POST", `/proxies/${this.name}`, { enabled: false });
  }

  async up() {
    await this.call("POST", `/proxies/${this.name}`, { enabled: true });
  }

  /** Ends every connection. What a page sent before it went would arrive after it otherwise. */
  async cut() {
    await this.down();
    await this.up();
  }
}

/**
 * @typedef {object} Reply
 * @property {number} status
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {string} body
 */

/**
 * A proxy before a server that may change what the server answered; a body
 * only where `change` gives a new one. What answers "lose" breaks the
 * connection off instead: the server has done it, and nobody hears of it.
 *
 * @param {import("node:test").TestContext} t
 * @param {number} upstream a port
 * @param {(request: import("node:http").IncomingMessage, reply: Reply) => Reply | "lose" | undefined | Promise<Reply | undefined>} change
 * @returns {Promise<number>} the port where it listens
 */
export async function rewriter(t, upstream, change) {
  const proxy = createServer((req, res) => {
    const { "accept-encoding": _, ...headers } = req.headers;
    const onward = request({ host: "127.0.0.1", port: upstream, method: req.method, path: req.url, headers, agent: false });
    onward.on("response", async (answer) => {
      /** @type {Buffer[]} */
      const pieces = [];
      try {
        for await (const piece of answer) pieces.push(piece);
      } catch {
        res.destroy();
        return;
      }
      const bytes = Buffer.concat(pieces);
      const reply = { status: answer.statusCode ?? 0, headers: answer.headers, body: bytes.toString() };
      const changed = await change(req, reply);
      if (changed === "lose") {
        res.destroy();
        return;
      }
      const body = changed && changed.body !== reply.body ? Buffer.from(changed.body) : bytes;
      const { "transfer-encoding": __, connection: ___, ...kept } = (changed ?? reply).headers;
      res.writeHead((changed ?? reply).status, { ...kept, ...(req.method === "HEAD" ? {} : { "content-length": body.length }) });
      res.end(body);
    });
    onward.on("error", () => res.destroy());
    res.on("close", () => onward.destroy());
    req.pipe(onward);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return portOf(proxy);
}

/**
 * A way to a server that counts the bytes that go there.
 *
 * @param {import("node:test").TestContext} t
 * @param {number} upstream a port
 */
export async function counter(t, upstream) {
  /** @type {{ bytes: number, reached: () => void }[]} */
  let waiting = [];
  const proxy = createListener((browser) => {
    const server = connect(upstream, "127.0.0.1");
    browser.on("data", (piece) => {
      count.bytes += piece.length;
      const due = waiting.filter((w) => count.bytes >= w.bytes);
      waiting = waiting.filter((w) => count.bytes < w.bytes);
      for (const w of due) w.reached();
    });
    browser.pipe(server).pipe(browser);
    join(browser, server);
  });
  const count = {
    port: 0,
    /** Bodies, whole or cut, and headers. */
    bytes: 0,
    /**
     * Settles when so many more have gone.
     *
     * @param {number} bytes
     * @returns {Promise<void>}
     */
    more: (bytes) => new Promise((reached) => waiting.push({ bytes: count.bytes + bytes, reached })),
  };
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => proxy.close());
  count.port = portOf(proxy);
  return count;
}

/**
 * One connection ends with the other, and what ends in a reset goes on as one.
 *
 * @param {import("node:net").Socket} a
 * @param {import("node:net").Socket} b
 */
function join(a, b) {
  // A socket whose end is on its way takes no reset: Node.js 20 loses the handle
  // then, and spins at exit, waiting for it.
  const reset = (/** @type {import("node:net").Socket} */ s) => (s.writableEnded ? s.destroy() : s.resetAndDestroy());
  a.on("error", () => reset(b)).on("close", () => b.destroy());
  b.on("error", () => reset(a)).on("close", () => a.destroy());
}

/**
 * A SOCKS proxy (RFC 1928) that takes connections for some ports of this
 * machine to others. Chromium has a switch for that, Firefox has not.
 *
 * @param {Map<number, number>} ports
 */
export async function detour(ports) {
  const proxy = createListener((browser) => {
    browser.once("data", () => {
      browser.write(Uint8Array.of(5, 0)); // no authentication
      browser.once("data", (ask) => {
        const wanted = ask.readUInt16BE(ask.length - 2);
        const server = connect(ports.get(wanted) ?? wanted, "127.0.0.1", () => {
          browser.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)); // succeeded
          browser.pipe(server).pipe(browser);
        });
        join(browser, server);
      });
    });
    browser.on("error", () => undefined);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return { port: portOf(proxy), stop: () => proxy.close() };
}
