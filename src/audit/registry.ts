import type { LintRule } from './finding.ts';
import { deadRule, ruleLikeDefault } from './rules/dead-rule.ts';
import { effectiveWidth } from './rules/effective-width.ts';
import { fallbackErrno } from './rules/fallback-errno.ts';
import { ioUring } from './rules/io-uring.ts';
import { killProbe } from './rules/kill-probe.ts';
import { missingFloor } from './rules/missing-floor.ts';
import { defaultAllow, newerCalls } from './rules/newer-calls.ts';
import { openAbi } from './rules/open-abi.ts';
import { pointerCompared } from './rules/pointer-compared.ts';
import { RETURN_RULES } from './rules/returns.ts';
import { riskyOpen } from './rules/risky-open.ts';
import { siblingOpen } from './rules/sibling-open.ts';
import { unknownBits } from './rules/unknown-bits.ts';
import { widerService } from './rules/wider-service.ts';

/** Every rule of the lint, in the order in which findings are shown. docs/lint.md lists them. */
export const RULES: readonly LintRule[] = [
  openAbi,
  effectiveWidth,
  pointerCompared,
  ioUring,
  siblingOpen,
  defaultAllow,
  missingFloor,
  killProbe,
  fallbackErrno,
  newerCalls,
  ...RETURN_RULES,
  widerService,
  deadRule,
  ruleLikeDefault,
  unknownBits,
  riskyOpen,
];
