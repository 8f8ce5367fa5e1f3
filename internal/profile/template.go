package profile

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"rollcall/internal/credential"
)

// Template is a file of answers with a question for each line, in the order of
// the profile, and with what the sources found. acc is nil if none was asked;
// names has, by line, what was found, for comments.
func Template(p *Profile, acc *credential.Accounting, names map[string][]string, device, by string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What %s holds, line by line of the profile %s (`rollcall profiles show %s`).\n", device, p.Name, p.Name)
	b.WriteString("# Answer each line that has none yet: take the # away from one of the lines below it.\n")
	b.WriteString("#   LINE: covered                      credentials of the roll are what it is about\n")
	b.WriteString("#   LINE: {none: why}                  the device holds nothing of it\n")
	b.WriteString("#   LINE: {later: what, owner: who, due: 2026-12-05}\n")
	b.WriteString("# An answer may have by and on of its own. No secret belongs here.\n")
	b.WriteString("# `rollcall answers check` lists what is open.\n\n")
	fmt.Fprintf(&b, "device: %s\nprofile: %s\nby: %q\non: %s\n\nanswers:\n", device, p.Name, by, now.UTC().Format(time.DateOnly))
	for _, l := range p.Lines {
		writeLine(&b, l, acc, names[l.ID], due(now))
	}
	return b.String()
}

// due is a date to write over.
func due(now time.Time) string { return now.UTC().AddDate(0, 0, 7).Format(time.DateOnly) }

// writeLine writes a line of the profile as comments, and the question below.
func writeLine(b *strings.Builder, l Line, acc *credential.Accounting, names []string, due string) {
	b.WriteString("\n")
	comment(b, fmt.Sprintf("%s, order %d [%s]: %s", l.Kind, l.Group, l.Grade, l.What))
	comment(b, prefixed("where: ", strings.Join(l.Where, "; ")))
	comment(b, prefixed("changes together with: ", strings.Join(l.Together, "; ")))
	comment(b, prefixed("to revoke besides: ", strings.Join(l.Revoke, "; ")))
	comment(b, prefixed("keeps the old one: ", l.Residue))
	comment(b, prefixed("? ", l.Ask))
	question(b, l, acc, names, due)
}

// question writes the line itself, answered if the sources did.
func question(b *strings.Builder, l Line, acc *credential.Accounting, names []string, due string) {
	answered := false
	if acc != nil {
		for _, one := range acc.Lines {
			if one.Line == l.ID && one.Credentials > 0 {
				comment(b, found(one, names))
				answered = one.Answer == credential.Covered
			}
			if one.Line == l.ID {
				comment(b, one.May)
				if one.May != "" {
					comment(b, prefixed("may be: ", firstOf(names)))
				}
			}
		}
	}
	if answered {
		fmt.Fprintf(b, "  %s: covered\n", l.ID)
		return
	}
	fmt.Fprintf(b, "  %s:\n    #none: %s\n    #later: %s\n    #owner: %s\n    #due: %s\n", l.ID, blankNone, blankLater, blankOwner, due)
}

// What stands where a person is to write. Left as it is, it is no answer.
const (
	blankNone  = "why there is none"
	blankLater = "what is to be done"
	blankOwner = "who"
)

// few is how many credentials a comment names.
const few = 3

func found(one credential.LineAnswer, names []string) string {
	text := "found: " + creds(one.Credentials)
	if one.Matched > 0 {
		text += fmt.Sprintf(" (%d by kind, for no other line is of it)", one.Matched)
	}
	if len(names) > 0 {
		text += ": " + firstOf(names)
	}
	if one.Answer == credential.Unanswered && one.Why != "" {
		text += ". " + one.Why
	}
	return text
}

// firstOf are the first names.
func firstOf(names []string) string {
	text := strings.Join(names[:min(few, len(names))], "; ")
	if len(names) > few {
		text += "; …"
	}
	return text
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// comment wraps text that may name what a thief has chosen.
func comment(b *strings.Builder, text string) {
	const width = 96
	text = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '\uFFFD'
		}
		return c
	}, text)
	line := "  #"
	for _, w := range strings.Fields(text) {
		if len(line) > 3 && len(line)+1+len(w) > width {
			b.WriteString(line + "\n")
			line = "  #  "
		}
		line += " " + w
	}
	if line != "  #" {
		b.WriteString(line + "\n")
	}
}
