/** The script of `--bash-completion`, from the table of actions. */
import type { ActionSpec, ParameterSpec } from "./action.ts";
import { actionTable } from "./action_table.ts";

/** File names may hold spaces, so they are read as lines. */
const REPLY_FILES = 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")';

/** Completes actions, then the parameters of the last action, then known values. */
export function bashCompletionScript(): string {
  const actions = actionTable.filter((action) => !action.retired);
  const words = [
    "--help",
    "--config",
    "--config-v2",
    "--bash-completion",
    ...actions.map(({ name }) => `--${name}`),
  ];
  // Bash splits words at "=" (COMP_WORDBREAKS), so `id=fo` arrives as three words.
  return `\
_receptor() {
  local current=\${COMP_WORDS[COMP_CWORD]} parameter= action= i
  if [[ $current == = ]]; then
    parameter=\${COMP_WORDS[COMP_CWORD-1]} current=
  elif [[ \${COMP_WORDS[COMP_CWORD-1]} == = ]]; then
    parameter=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = COMP_CWORD - 1; i > 0; i--)); do
    if [[ \${COMP_WORDS[i]} == -* ]]; then
      action=\${COMP_WORDS[i]}
      break
    fi
  done
  COMPREPLY=()
  if [[ $current == -* || -z $action ]]; then
    COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current"))
    return
  fi
  case "$action $parameter" in
    "--config "|"-c ") ${REPLY_FILES} ;;
${actions.map(actionCases).join("")}\
  esac
  [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -F _receptor receptor
`;
}

function actionCases({ name, parameters }: ActionSpec): string {
  const cases: string[] = [];
  const specs = Object.entries(parameters);
  const names = specs.map(([parameter]) => `${parameter}=`);
  const bare = specs.find(([, spec]) => spec.bare)?.[1];
  const bareWords = Array.isArray(bare?.type.candidates) ? bare.type.candidates : [];
  if (names.length > 0) {
    cases.push(`    "--${name} ") ${replyWords([...names, ...bareWords])} ;;\n`);
  }
  for (const [parameter, spec] of specs) {
    const reply = valueReply(spec);
    if (reply) cases.push(`    "--${name} ${parameter}") ${reply} ;;\n`);
  }
  return cases.join("");
}

function valueReply({ type }: ParameterSpec<unknown>): string | undefined {
  if (type.candidates === undefined) return undefined;
  if (type.candidates === "files") return REPLY_FILES;
  return replyWords(type.candidates);
}

function replyWords(words: readonly string[]): string {
  return `COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current"))`;
}
