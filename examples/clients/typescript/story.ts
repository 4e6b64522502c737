// A whole story against a service in test mode: sell a plan, have it paid by the simulator, follow the payment, upgrade
// the subscription after a preview, cancel it, and verify the webhook that tells of it.
//
//   npm install && npm run generate && npm run build
//   SERVICE_URL=http://127.0.0.1:3002 API_KEY=... npm start

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Event = components["schemas"]["Event"];
type Problem = components["schemas"]["Problem"];

const { SERVICE_URL, API_KEY } = process.env;
if (SERVICE_URL === undefined || API_KEY === undefined) throw new Error("set SERVICE_URL and API_KEY");
const service = createClient<paths>({ baseUrl: SERVICE_URL, headers: { Authorization: `Bearer ${API_KEY}` } });
const once = () => ({ header: { "Idempotency-Key": randomUUID() } });
const user_id = `typescript/${randomUUID()}`;

// The answer, or an error with the problem's code. A service that says nothing is an error too.
function got<T>({ data, error }: { data?: T; error?: Problem | components["schemas"]["Unready"] }): T {
  if (error !== undefined) throw new Error("code" in error ? `${error.code}: ${error.detail}` : error.status);
  if (data === undefined) throw new Error("the service sent no body");
  return data;
}

// Standard Webhooks: an HMAC over id, timestamp and the body as it came, at most five minutes old.
function verified(secret: string, id: string, timestamp: string, signatures: string, body: string): Event {
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) throw new Error("the webhook is too old");
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  const good = signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!good) throw new Error("the webhook's signature is wrong");
  const event: Event = JSON.parse(body);
  return event;
}

const received: Event[] = [];
let secret = "";
const receiver = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf-8");
  request.on("data", (part: string) => (body += part));
  request.on("end", () => {
    const header = (name: string) => String(request.headers[name] ?? "");
    received.push(verified(secret, header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), body));
    response.writeHead(204).end();
  });
});

async function paid(reference: string): Promise<void> {
  got(await service.POST("/v1/test/pay", { body: { reference } }));
  got(await service.POST("/v1/payments/{reference}/check", { params: { path: { reference } } }));
  for (;;) {
    const params = { path: { reference }, query: { wait: 25 } };
    const payment = got(await service.GET("/v1/payments/{reference}", { params }));
    if (!("value" in payment)) throw new Error("only a client token sees a payment without its value, and this is a key");
    if (payment.status === "paid") return console.log(`${reference} is paid: ${payment.value.received} ${payment.currency}`);
    if (payment.status !== "pending") throw new Error(`${reference} is ${payment.status}`);
  }
}

async function told(type: Event["type"]): Promise<Event> {
  for (let tries = 0; tries < 600; tries++) {
    const event = received.find((each) => each.type === type && "user_id" in each.data && each.data.user_id === user_id);
    if (event !== undefined) return event;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no webhook told of ${type}`);
}

await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const address: AddressInfo | string | null = receiver.address();
if (address === null || typeof address === "string") throw new Error("the receiver has no port");
const url = `http://127.0.0.1:${address.port}/`;
const endpoint = got(await service.POST("/v1/endpoints", { params: once(), body: { url } }));
secret = endpoint.secret;

const body = { user_id, plan: "PREMIUM" };
const payment = got(await service.POST("/v1/payments", { params: once(), body }));
console.log(`pay ${payment.amount} ${payment.currency}: ${payment.qr}`);
await paid(payment.reference);

const subscription = got(await service.GET("/v1/users/{user_id}/subscription", { params: { path: { user_id } } }));
const path = { reference: subscription.reference };
console.log(`${subscription.plan} until ${subscription.entitled_until}`);

const dearer = { plan: "FAMILY_PREMIUM" };
const preview = got(
  await service.POST("/v1/subscriptions/{reference}/upgrade", { params: { path }, body: { ...dearer, preview: true } }),
);
if (!("moves" in preview)) throw new Error("this is no preview");
console.log(`the upgrade would cost ${preview.amount} ${preview.currency}`);
const upgrade = got(
  await service.POST("/v1/subscriptions/{reference}/upgrade", { params: { path, ...once() }, body: dearer }),
);
if (!("payment" in upgrade) || upgrade.payment === null) throw new Error("there is nothing to pay");
await paid(upgrade.payment.reference);

const cancelled = got(
  await service.POST("/v1/subscriptions/{reference}/cancel", { params: { path, ...once() }, body: { reason: "moved" } }),
);
if (!("status" in cancelled) || cancelled.status !== "cancelled") throw new Error("it isn't cancelled");
const event = await told("subscription.cancelled");
if (event.type === "subscription.cancelled") console.log(`a webhook told it: ${event.data.cancel_reason}`);
got(await service.DELETE("/v1/endpoints/{reference}", { params: { path: { reference: endpoint.reference }, ...once() } }));
receiver.close();
