import type { Place } from '../base/errors.ts';
import type { Finding } from './finding.ts';
import { RULES } from './registry.ts';
import { describeFinding } from './text.ts';

/** Findings as SARIF 2.1.0 (OASIS, 2020), which code hosts show beside the lines of a change. */

/** What a log says beside the findings. */
export interface SarifOptions {
  /** The filter's file, where a finding has no place of its own. */
  readonly file: string;
  readonly version: string;
}

/** The log of one run; `ruleIndex` points into the rules of the driver (3.27.6). */
export function sarifLog(findings: readonly Finding[], { file, version }: SarifOptions): object {
  const ids = RULES.map(({ id }) => id);
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'selkie', version, rules: RULES.map(sarifRule) } },
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => ({
          ruleId: finding.id,
          ruleIndex: ids.indexOf(finding.id),
          level: finding.severity,
          message: { text: describeFinding(finding) },
          locations: [{ physicalLocation: location(finding.place, file) }],
        })),
      },
    ],
  };
}

function sarifRule({ id, severity, why, todo, source }: (typeof RULES)[number]): object {
  return {
    id,
    shortDescription: { text: why },
    help: { text: `${todo} (${source})` },
    defaultConfiguration: { level: severity },
  };
}

function location(place: Place | undefined, file: string): object {
  const artifactLocation = { uri: uriOf(place?.file ?? file) };
  if (!place) return { artifactLocation };
  return { artifactLocation, region: { startLine: place.line, startColumn: place.column } };
}

/** A relative path stays relative; all else that a URI reserves is escaped (RFC 3986). */
function uriOf(path: string): string {
  const escaped = path.split('/').map(encodeURIComponent).join('/');
  return path.startsWith('/') ? `file://${escaped}` : escaped;
}
