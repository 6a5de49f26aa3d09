// Devices: starts the TP-Link devices of tplink-smarthome-simulator and lets a test look at them and set their power.
//
// The first line of standard input is [{model, alias, sockets: [alias, …]}, …]; the answer is their ports. Each further line is
// a question: {device, child, power} sets the power in W; {device} alone only looks. The answer is what the device holds.
'use strict';
const readline = require('node:readline');
const { Device } = require('tplink-smarthome-simulator');

const devices = [];

async function start(wanted) {
  for (const { model, alias, sockets, unreliable } of wanted) {
    const device = new Device({ model, alias, port: 0, address: '127.0.0.1', unreliablePercent: unreliable || 0 });
    (sockets || []).forEach((name, index) => { device.children[index].sysinfo.alias = name; });
    for (const part of parts(device)) {
      part.emeter.realtime = { voltage: 230, current: 0.2, power: 0, total: 1.5 };
    }
    await device.start();
    devices.push(device);
  }
  return devices.map((device) => device.port);
}

function parts(device) {
  return device.children && device.children.length ? device.children : [device.data];
}

function answer({ device: index, child, power }) {
  const device = devices[index];
  const all = parts(device);
  if (power !== undefined) all[child || 0].emeter.realtime.power = power;
  return all.map((part) => ({
    on: Boolean(part === device.data ? device.data.system.sysinfo.relay_state : part.sysinfo.state),
    rules: part.count_down.rules.rule_list,
  }));
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    const reply = Array.isArray(question) ? await start(question) : answer(question);
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  process.exit(0);
}

main();
