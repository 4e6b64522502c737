<?php
// A client of one file: curl for the requests, and the check of a webhook's signature.
//
//   SERVICE_URL=http://127.0.0.1:3002 API_KEY=... php story.php
//
// It needs the extensions curl and json. The functions are yours to copy; the story at the end is for test mode.

declare(strict_types=1);

final class Problem extends RuntimeException
{
    public function __construct(public readonly array $document)
    {
        parent::__construct(($document['code'] ?? 'unknown') . ': ' . ($document['detail'] ?? ''));
    }
}

/** Ask the service. The same $key with the same request gets the same answer: a retry pays nothing twice. */
function ask(string $method, string $path, ?array $body = null, ?string $key = null): array
{
    $headers = ['Authorization: Bearer ' . getenv('API_KEY'), 'Accept: application/json'];
    $request = curl_init(getenv('SERVICE_URL') . $path);
    if ($body !== null) {
        $headers[] = 'Content-Type: application/json';
        curl_setopt($request, CURLOPT_POSTFIELDS, json_encode((object) $body, JSON_THROW_ON_ERROR));
    }
    if ($key !== null) {
        $headers[] = "Idempotency-Key: $key";
    }
    curl_setopt_array($request, [
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FOLLOWLOCATION => false,
        CURLOPT_CONNECTTIMEOUT => 5,
        CURLOPT_TIMEOUT => 40,
    ]);
    $answer = curl_exec($request);
    if ($answer === false) {
        throw new RuntimeException('the service does not answer: ' . curl_error($request));
    }
    $document = json_decode($answer, true, 512, JSON_THROW_ON_ERROR);
    if (curl_getinfo($request, CURLINFO_RESPONSE_CODE) >= 400) {
        throw new Problem($document);
    }
    return $document;
}

/**
 * Verify a webhook (Standard Webhooks) and return its event. $body is the request's body as it came, before any parsing:
 * file_get_contents('php://input'). The names in $headers are in lower case.
 */
function verified(string $secret, array $headers, string $body): array
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > 300) {
        throw new RuntimeException('the webhook is too old');
    }
    $key = str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, 6), true) : $secret;
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
        if (hash_equals($expected, $signature)) {
            return json_decode($body, true, 512, JSON_THROW_ON_ERROR);
        }
    }
    throw new RuntimeException("the webhook's signature is wrong");
}

function uuid(): string
{
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex(random_bytes(16)), 4));
}

/** Take the next webhook from the socket and verify it. */
function receive(mixed $socket, string $secret): array
{
    $connection = stream_socket_accept($socket, 30) ?: throw new RuntimeException('no webhook came');
    $headers = [];
    fgets($connection); // POST / HTTP/1.1
    while (($line = rtrim((string) fgets($connection))) !== '') {
        [$name, $value] = explode(':', $line, 2);
        $headers[strtolower($name)] = trim($value);
    }
    $body = stream_get_contents($connection, (int) ($headers['content-length'] ?? 0));
    try {
        $event = verified($secret, $headers, $body);
        fwrite($connection, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        return $event;
    } finally {
        fclose($connection);
    }
}

/** Pay through the simulator, and wait until the service has seen the money. */
function pay(string $reference): void
{
    ask('POST', '/v1/test/pay', ['reference' => $reference]);
    ask('POST', "/v1/payments/$reference/check");
    do {
        $payment = ask('GET', "/v1/payments/$reference?wait=25");
    } while ($payment['status'] === 'pending');
    if ($payment['status'] !== 'paid') {
        throw new RuntimeException("$reference is {$payment['status']}");
    }
    echo "$reference is paid: {$payment['value']['received']} {$payment['currency']}\n";
}

$socket = stream_socket_server('tcp://127.0.0.1:0') ?: throw new RuntimeException('no port is free');
$url = 'http://' . stream_socket_get_name($socket, false) . '/';
$endpoint = ask('POST', '/v1/endpoints', ['url' => $url, 'event_types' => ['subscription.cancelled']], uuid());
$user = 'php/' . uuid();

$payment = ask('POST', '/v1/payments', ['user_id' => $user, 'plan' => 'PREMIUM'], uuid());
echo "pay {$payment['amount']} {$payment['currency']}: {$payment['qr']}\n";
pay($payment['reference']);

$subscription = ask('GET', '/v1/users/' . rawurlencode($user) . '/subscription');
$here = "/v1/subscriptions/{$subscription['reference']}";
echo "{$subscription['plan']} until {$subscription['entitled_until']}\n";

$preview = ask('POST', "$here/upgrade", ['plan' => 'FAMILY_PREMIUM', 'preview' => true]);
echo "the upgrade would cost {$preview['amount']} {$preview['currency']}\n";
$upgrade = ask('POST', "$here/upgrade", ['plan' => 'FAMILY_PREMIUM'], uuid());
pay($upgrade['payment']['reference']);

ask('POST', "$here/cancel", ['reason' => 'moved'], uuid());
do {
    $event = receive($socket, $endpoint['secret']);
} while ($event['data']['user_id'] !== $user);
echo "a webhook told it: {$event['type']}, {$event['data']['cancel_reason']}\n";
ask('DELETE', "/v1/endpoints/{$endpoint['reference']}", key: uuid());
