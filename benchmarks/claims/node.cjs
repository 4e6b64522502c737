// npm `bakong-khqr` (official) and `ts-khqr`: `node node.cjs PACKAGE KEY PAYLOAD` prints what it does, for a question
// of questions.py. PAYLOAD is the code to read, for the questions about reading.

const [name, key, payload] = process.argv.slice(2);
const labels = {
    billNumber: "1".repeat(25), mobileNumber: "2".repeat(25), storeLabel: "3".repeat(25), terminalLabel: "4".repeat(25),
};
const soon = () => Date.now() + 600000;

function official() {
    const { BakongKHQR, khqrData, IndividualInfo } = require("bakong-khqr");
    const crc16 = require("bakong-khqr/src/helper/crc16");
    const make = (account, currency, amount, more = {}) => new BakongKHQR().generateIndividual(
        new IndividualInfo(account, "Sokha", "Phnom Penh", {
            currency: khqrData.currency[currency], amount, expirationTimestamp: soon(), ...more,
        }),
    );
    const verified = (text) => JSON.stringify(BakongKHQR.verify(text));
    return { make, crc16, decode: (text) => BakongKHQR.decode(text), verified, labelled: (more) => more };
}

function ts() {
    const { KHQR, CURRENCY, TAG } = require("ts-khqr");
    const { crc16 } = require("ts-khqr/lib/utils");
    const make = (accountID, currency, amount, more = {}) => KHQR.generate({
        tag: TAG.INDIVIDUAL, accountID, merchantName: "Sokha", merchantCity: "Phnom Penh",
        currency: CURRENCY[currency.toUpperCase()], amount, expirationTimestamp: soon(), ...more,
    });
    const verified = (text) => {
        const { data, status } = KHQR.verifyDetail(text);
        return JSON.stringify(status.message === null ? data : { ...data, errorCode: status.errorCode });
    };
    return { make, crc16, decode: (text) => KHQR.parse(text), verified, labelled: (additionalData) => ({ additionalData }) };
}

const { make, crc16, decode, verified, labelled } = name === "ts-khqr" ? ts() : official();

function made(...fields) {
    const { status, data } = make(...fields);
    if (status.code !== 0) return `is refused: error code \`${status.errorCode}\``;
    const qr = data.qr;
    if (qr.includes("62116")) return "makes a code with the length `116` where two digits belong";
    const found = /^.*?5303(?:840|116)54(\d\d)(.*)$/.exec(qr);
    if (found === null) return "makes a static code, without an amount";
    return `makes a code over \`${found[2].slice(0, Number(found[1]))}\``;
}

function shortChecksums() {
    let count = 0;
    for (let number = 0; number < 1000000; number++) count += crc16(String(number)).length !== 4;
    return String(count);
}

const observations = {
    long_labels: () => made("sokha@aclb", "usd", 10.5, labelled(labels)),
    amount_nan: () => made("sokha@aclb", "usd", NaN),
    amount_too_exact: () => made("sokha@aclb", "usd", 1.005),
    riel_with_decimals: () => made("sokha@aclb", "khr", 1000.75),
    account_without_bank: () => made("sokha", "usd", 10.5),
    letters_in_template: () => { decode(payload); return "succeeds"; },
    repeated_amount: () => `\`${verified(payload)}\``,
    wrong_checksum: () => `\`${verified(payload)}\``,
    short_checksum: shortChecksums,
};
console.log((observations[key] ?? (() => "has no such function"))());
