// JsClientScenarioIT starts it; it talks until its input ends, and then says what came of it.
import { client } from './support.js';
import { talk } from './talk.js';

const { Carillon } = await import(new URL('carillon.js', client));
const talking = talk(Carillon, { name: 'node', size: 4, options: { url: `${process.env.CARILLON_URL}/api/ws/connect` } });
await talking.start();
console.log('talking');
for await (const nothing of process.stdin) void nothing;
console.log(JSON.stringify(await talking.end()));
