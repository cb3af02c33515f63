// What SARIF 2.1.0 (OASIS standard, sections 3.13 to 3.30) requires of the parts that Selkie writes; nothing else may be there.

const text = {
  type: 'object',
  required: ['text'],
  properties: { text: { type: 'string', minLength: 1 } },
  additionalProperties: false,
};
const level = { enum: ['none', 'note', 'warning', 'error'] };
const object = (properties: object, required: readonly string[] = Object.keys(properties)): object => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const rule = object({
  id: { type: 'string', pattern: '^[a-z]+(-[a-z]+)*$' },
  shortDescription: text,
  help: text,
  defaultConfiguration: object({ level }),
});

const location = object({
  physicalLocation: object(
    {
      artifactLocation: object({ uri: { type: 'string', format: 'uri-reference' } }),
      region: object({ startLine: { type: 'integer', minimum: 1 }, startColumn: { type: 'integer', minimum: 1 } }),
    },
    ['artifactLocation'],
  ),
});

const result = object({
  ruleId: { type: 'string' },
  ruleIndex: { type: 'integer', minimum: 0 },
  level,
  message: text,
  locations: { type: 'array', items: location },
});

export const SARIF_SCHEMA: object = object({
  $schema: { type: 'string', pattern: '^https://.*sarif-schema-2\\.1\\.0\\.json$' },
  version: { const: '2.1.0' },
  runs: {
    type: 'array',
    minItems: 1,
    items: object({
      tool: object({
        driver: object({
          name: { const: 'selkie' },
          version: { type: 'string' },
          rules: { type: 'array', items: rule },
        }),
      }),
      columnKind: { enum: ['utf16CodeUnits', 'unicodeCodePoints'] },
      results: { type: 'array', items: result },
    }),
  },
});
