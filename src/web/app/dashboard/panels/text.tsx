// SPDX-License-Identifier: Apache-2.0
// Text with a little Markdown: headings, lists, code, emphasis, links. HTML in it is shown as text.
import type { ComponentChildren } from "preact";
import { safeUrl } from "../model";

const inlinePattern =
  /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]*)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)]+)/g;

function inline(text: string): ComponentChildren[] {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const match of text.matchAll(inlinePattern)) {
    parts.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    const [whole, code, strong, emphasis, title, target, bare] = match;
    if (code !== undefined) parts.push(<code>{code}</code>);
    else if (strong !== undefined) parts.push(<strong>{strong}</strong>);
    else if (emphasis !== undefined) parts.push(<em>{emphasis}</em>);
    else {
      const url = safeUrl(target ?? bare ?? "");
      parts.push(
        url ? (
          <a href={url} target="_blank" rel="noreferrer">
            {title || bare || target}
          </a>
        ) : (
          whole
        ),
      );
    }
  }
  parts.push(text.slice(at));
  return parts;
}

export function Markdown(props: { text: string }) {
  const blocks: ComponentChildren[] = [];
  let list: ComponentChildren[] = [];
  let code: string[] | undefined;
  const endList = () => {
    if (list.length > 0) blocks.push(<ul>{list}</ul>);
    list = [];
  };
  for (const line of props.text.split("\n")) {
    if (line.startsWith("```")) {
      endList();
      if (code) blocks.push(<pre tabIndex={0}>{code.join("\n")}</pre>);
      code = code ? undefined : [];
      continue;
    }
    if (code) {
      code.push(line);
      continue;
    }
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^\s*(?:[-*+]|\d+\.)\s+(.*)$/.exec(line);
    if (item) {
      list.push(<li>{inline(item[1] ?? "")}</li>);
      continue;
    }
    endList();
    if (heading) {
      blocks.push(
        (heading[1] ?? "").length > 2 ? (
          <h4>{inline(heading[2] ?? "")}</h4>
        ) : (
          <h3>{inline(heading[2] ?? "")}</h3>
        ),
      );
    } else if (line.trim() !== "") {
      blocks.push(<p>{inline(line)}</p>);
    }
  }
  endList();
  if (code) blocks.push(<pre tabIndex={0}>{code.join("\n")}</pre>);
  return <div class="markdown">{blocks}</div>;
}
