// A main backend's webhook endpoint on Node.
//
// It verifies with the public package `standardwebhooks`, takes each event once and drops those that are older than what
// it knows. What it has taken is kept in memory: a shop keeps it in its database, in the transaction of what it does.

import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const LARGEST = 64 * 1024;

// The package takes base64: a secret that is plain text is given to it as such.
const verifiers = [process.env.WEBHOOK_SECRET, process.env.WEBHOOK_SECRET_BEFORE]
  .filter(Boolean)
  .map((secret) => new Webhook(secret.startsWith("whsec_") ? secret : Buffer.from(secret).toString("base64")));
if (verifiers.length === 0) throw new Error("WEBHOOK_SECRET must be set");

const taken = new Set(); // ids of events
const sequences = new Map(); // subject -> sequence of its newest event

function verified(body, headers) {
  for (const verifier of verifiers) {
    try {
      return verifier.verify(body, headers);
    } catch {
      continue; // the next secret may be the one that signed it
    }
  }
  return null;
}

function take(event) {
  if (taken.has(event.id)) return "duplicate";
  taken.add(event.id);
  if (event.sequence <= (sequences.get(event.subject) ?? 0)) return "stale";
  sequences.set(event.subject, event.sequence);
  // Here the shop acts: event.data is the whole payment or subscription.
  return "taken";
}

async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    // What is too large is read to its end but not kept: leaving the loop would close the connection unanswered.
    if (size <= LARGEST) parts.push(part);
  }
  return size > LARGEST ? null : Buffer.concat(parts).toString("utf8");
}

async function answer(request, response) {
  if (request.method !== "POST" || request.url !== "/webhooks") return response.writeHead(404).end();
  const body = await read(request);
  if (body === null) return response.writeHead(413).end("larger than any event of ours");
  const event = verified(body, request.headers);
  if (event === null) return response.writeHead(401).end("no signature that we know");
  console.log(event.type, event.subject, event.sequence, take(event));
  response.writeHead(204).end();
}

// Node doesn't wait for an async listener: what it rejects with, as when a request is aborted, would end the process.
const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error("not answered:", error.message);
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end(); // the service tries again
  });
});

server.listen(Number(process.env.PORT ?? 4000), "127.0.0.1", () => console.log("listening", server.address().port));
