package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"rollcall/internal/plural"
)

// Clean makes text from outside fit for a terminal. A directory entry may be
// named with control characters that move the cursor or with marks that turn
// the direction of writing; both could make a report say something else.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// Columns are how many columns of a terminal a text takes: letters of East
// Asian scripts and most pictures take two, what combines with a letter none
// (Unicode Standard Annex 11).
func Columns(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// cut shortens to width columns, with an ellipsis in the last.
func cut(s string, width int) string {
	if width < 1 {
		return ""
	}
	if Columns(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n += columnsOf(r); n > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-Columns(s)))
}

// Wrap breaks text between words so that lines fit the width, the first behind
// first and the others behind as many spaces. A long word stays whole: a DN
// that is broken cannot be copied.
func Wrap(text, first string, width int) string {
	indent := strings.Repeat(" ", Columns(first))
	var out strings.Builder
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && Columns(line)+1+Columns(word) > width {
			out.WriteString(line + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	out.WriteString(line + "\n")
	return out.String()
}

// span writes a duration for people, with two or three digits that matter.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Truncate(time.Second).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

// Plural counts in words: "1 finding", "2 findings".
func Plural(n int, one, many string) string {
	return plural.Count(n, one, many)
}
