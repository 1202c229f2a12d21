#!/usr/bin/env node
// A compiler that stays: it takes a second to load and is much faster once it is warm. For script/workspace.py.
//   resident.js --serve SOCKET       compile whatever is asked for through the socket
//   resident.js --standard-json ...  ask it, as one would ask bin/solc; the socket is $RESIDENT_SOLC
'use strict';
const net = require('net');
const path = require('path');
const fs = require('fs');
const modules = fs.realpathSync(path.join(__dirname, '..', 'node_modules'));

function everything(stream, then) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => then(Buffer.concat(parts).toString('utf8')));
}

if (process.argv[2] === '--serve') {
  const compiler = require(path.join(modules, 'solc'));
  const missing = (name) => ({ error: 'not found: ' + name }); // Foundry hands over every source
  net
    .createServer({ allowHalfOpen: true }, (socket) =>
      everything(socket, (request) => socket.end(compiler.compile(request, { import: missing }))))
    .listen(process.argv[3], () => console.log('ready'));
} else if (process.argv.includes('--version')) {
  const { version } = require(path.join(modules, 'solc', 'package.json'));
  const cached = path.join(modules, '.solc-version-' + version);
  const long = fs.existsSync(cached) ? fs.readFileSync(cached, 'utf8') : require(path.join(modules, 'solc')).version();
  console.log('solc, the solidity compiler commandline interface\nVersion: ' + long);
} else {
  const socket = net.connect({ path: process.env.RESIDENT_SOLC, allowHalfOpen: true });
  socket.end(fs.readFileSync(0));
  everything(socket, (answer) => process.stdout.write(answer));
}
