// Reads a graph in Graphviz' language from stdin and writes it to stdout as SVG.
import { text } from 'node:stream/consumers';
import { instance } from '@viz-js/viz';

const viz = await instance();
process.stdout.write(viz.renderString(await text(process.stdin), { format: 'svg' }));
