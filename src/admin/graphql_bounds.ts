import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from "graphql";

/** Fields inside one another; the introspection that tools ask for has 13. */
const DEEPEST = 16;
/** Fields in all, fragments counted wherever they are used. */
const MOST_FIELDS = 500;
/** Fields that go through all sessions, or do something: so many in one request. */
const MOST_CALLS = 20;

/** A rule of validation: no request is deeper or larger than what the schema is good for. */
export function bounded(context: ValidationContext): ASTVisitor {
  return {
    Document(document: DocumentNode) {
      const fragments = new Map<string, FragmentDefinitionNode>();
      for (const definition of document.definitions) {
        if (definition.kind === Kind.FRAGMENT_DEFINITION) {
          fragments.set(definition.name.value, definition);
        }
      }
      let left = MOST_FIELDS;
      let calls = MOST_CALLS;
      /** Returns what is wrong. */
      const walk = (
        { selections }: SelectionSetNode,
        depth: number,
        inside: ReadonlySet<string>,
      ): string | undefined => {
        if (depth > DEEPEST) return `fields may lie ${DEEPEST} deep; ask for less at a time`;
        for (const selection of selections) {
          let wrong: string | undefined;
          if (selection.kind === Kind.FRAGMENT_SPREAD) {
            const name = selection.name.value;
            const fragment = fragments.get(name);
            // That it is missing, or in itself, other rules say.
            if (fragment === undefined || inside.has(name)) continue;
            if (--left < 0) return TOO_MANY;
            wrong = walk(fragment.selectionSet, depth, new Set([...inside, name]));
          } else {
            if (--left < 0) return TOO_MANY;
            // What is asked of a category is at the second level.
            if (selection.kind === Kind.FIELD && depth === 2 && --calls < 0) {
              return `a request may ask for ${MOST_CALLS} things; make two of it`;
            }
            if (selection.selectionSet !== undefined) {
              const deeper = selection.kind === Kind.FIELD ? depth + 1 : depth;
              wrong = walk(selection.selectionSet, deeper, inside);
            }
          }
          if (wrong !== undefined) return wrong;
        }
        return undefined;
      };
      for (const definition of document.definitions) {
        if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
        const wrong = walk(definition.selectionSet, 1, new Set());
        if (wrong !== undefined) context.reportError(new GraphQLError(wrong));
      }
    },
  };
}

const TOO_MANY = `a request may ask for ${MOST_FIELDS} fields; make two of it`;
