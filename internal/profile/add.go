package profile

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// AddMissing is text, a file of answers, with a question for each line of p
// that it does not have, and all else as a person wrote it. added are those
// lines; where there are none, the text comes back as it is.
func AddMissing(file string, text []byte, p *Profile, acc *credential.Accounting, names map[string][]string, device string, now time.Time) (out []byte, added []string, err error) {
	before, err := ParseAnswers(file, text, device, p)
	if err != nil {
		return nil, nil, err
	}
	var b strings.Builder
	for _, l := range p.Lines {
		if before.Of(l.ID) == nil {
			added = append(added, l.ID)
			writeLine(&b, l, acc, names[l.ID], due(now))
		}
	}
	if len(added) == 0 {
		return text, nil, nil
	}
	at, indent, ok := room(text)
	byHand := fmt.Errorf("%s was left as it is: nothing can be added to it safely, for its answers are not a block with a line each; write these yourself: %s", file, strings.Join(added, ", "))
	if !ok {
		return nil, nil, byHand
	}
	out = slices.Concat(text[:at], []byte(asIn(text, at, indent, b.String())), text[at:])
	after, err := ParseAnswers(file, out, device, p)
	if err != nil || !kept(before, after, added) {
		return nil, nil, byHand
	}
	return out, added, nil
}

// room is where in the text another answer can be added, after the last one,
// and how deep answers stand there.
func room(text []byte) (at, indent int, ok bool) {
	var n yaml.Node
	if err := yaml.Load(text, &n); err != nil || len(n.Content) != 1 {
		return 0, 0, false
	}
	top, end := n.Content[0], 0
	for i := 0; i+1 < len(top.Content); i += 2 {
		k, v := top.Content[i], top.Content[i+1]
		switch {
		case ok:
			end = k.Line // what follows the answers
		case k.Value == "answers" && v.Kind == yaml.MappingNode && v.Style&yaml.FlowStyle == 0 && len(v.Content) > 0:
			ok, indent = true, v.Content[0].Column-1
		}
		if end > 0 {
			break
		}
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	last := len(lines)
	switch {
	case end > 0:
		last = end - 1
	case len(lines[last-1]) == 0: // after the last line end
		last--
	}
	// A comment without indent above the next key is about that.
	for last > 0 && (end > 0 && (len(bytes.TrimSpace(lines[last-1])) == 0 || lines[last-1][0] == '#') || bytes.HasPrefix(lines[last-1], []byte("..."))) {
		last--
	}
	for _, l := range lines[:last] {
		at += len(l)
	}
	return at, indent, ok
}

// asIn gives what is added the indent and the line ends of the text.
func asIn(text []byte, at, indent int, added string) string {
	var b strings.Builder
	if at > 0 && text[at-1] != '\n' {
		b.WriteString("\n")
	}
	for line := range strings.Lines(added) {
		if rest, deeper := strings.CutPrefix(line, "  "); deeper {
			line = strings.Repeat(" ", indent) + rest
		}
		b.WriteString(line)
	}
	if bytes.Contains(text, []byte("\r\n")) {
		return strings.ReplaceAll(b.String(), "\n", "\r\n")
	}
	return b.String()
}

// kept reports whether every answer is what it was, and what was added is there
// besides.
func kept(before, after *Answers, added []string) bool {
	if len(after.List) != len(before.List)+len(added) {
		return false
	}
	for _, was := range before.List {
		now := after.Of(was.Line)
		if now == nil {
			return false
		}
		same := *now
		same.At = was.At
		if !reflect.DeepEqual(was, same) {
			return false
		}
	}
	return !slices.ContainsFunc(added, func(id string) bool { return after.Of(id) == nil })
}
