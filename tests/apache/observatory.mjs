// Scan URLs with the MDN HTTP Observatory, offline, and print the score of each and what took from it, as JSON.
//
//     node observatory.mjs FOLDER-OF-THE-PACKAGE HTTPS-PORT UNUSED-PORT PATH...
//
// Its own scan() takes the standard ports alone, and refuses error pages; this is the same from the same parts.
import { mkdirSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"

const [folder, httpsPort, httpPort, ...paths] = process.argv.slice(2)
// What its installation would fetch: the browsers' list of preloaded hosts, and of top-level domains.
mkdirSync(`${folder}/conf`, { recursive: true })
for (const list of ["hsts-preload", "tld-list"]) writeFileSync(`${folder}/conf/${list}.json`, "{}")

const part = (name) => import(pathToFileURL(`${folder}/src/${name}.js`))
const { retrieve } = await part("retriever/retriever")
const { ALL_TESTS } = await part("constants")
const { getScoreModifier } = await part("grader/grader")
const { MINIMUM_SCORE_FOR_EXTRA_CREDIT } = await part("grader/charts")

const found = {}
for (const path of paths) {
    const requests = await retrieve("127.0.0.1", { httpsPort, httpPort, path })
    const results = ALL_TESTS.map((test) => test(requests)).filter(({ result }) => result)
    const modifiers = Object.fromEntries(results.map(({ result }) => [result, getScoreModifier(result)]))
    const sum = (numbers) => numbers.reduce((one, other) => one + other, 100)
    const base = sum(Object.values(modifiers).filter((modifier) => modifier < 0))
    const score = base >= MINIMUM_SCORE_FOR_EXTRA_CREDIT ? sum(Object.values(modifiers)) : base
    found[path] = { status: requests.responses.auto.status, score, modifiers }
}
console.log(JSON.stringify(found))
