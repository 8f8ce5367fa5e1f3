package inventory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"

	"rollcall/internal/plural"
	"slices"
	"strings"
)

// dialect is how a CSV file is written.
type dialect struct {
	encoding string
	comma    rune
}

func (d dialect) String() string {
	names := map[rune]string{',': "commas", ';': "semicolons", '\t': "tabs", '|': "bars"}
	return fmt.Sprintf("read as %s, separated by %s", d.encoding, names[d.comma])
}

var separators = []rune{',', ';', '\t', '|'}

// readCSV reads separated values (RFC 4180) with a header line, as people and
// their programs write them: with the separator of Excel's language or the one
// of a line sep=, with the #TYPE line of PowerShell and comments above the
// header, with empty columns at the end. Below the header a line that begins
// with # is a row like any other, for names may begin so, unless it is one
// piece of text where a row has several cells.
func (t *table) readCSV(text, encoding string) {
	lines := strings.SplitAfter(text, "\n")
	d := dialect{encoding, 0}
	t.behindHash = headerBehindHash(lines)
	at := blankAboveHeader(lines, &d)
	if at == len(lines) {
		t.problem(0, "has no header line; it must name columns: %s", strings.Join(columns, ", "))
		return
	}
	if d.comma == 0 {
		d.comma = separatorOf(lines[at])
	}
	blankComments(lines[at:], d.comma)
	r := csv.NewReader(strings.NewReader(strings.Join(lines, "")))
	// With tabs, trimming would eat empty cells; cells are trimmed in any case.
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = d.comma, -1, d.comma != '\t'
	head, err := r.Read()
	if err != nil {
		t.csvError(err, d)
		return
	}
	line, _ := r.FieldPos(0)
	if !t.header(line, head, d) {
		return // every line would be wrong
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.csvError(err, d)
			return
		}
		line, _ := r.FieldPos(0)
		exact, loose := exactAccount(r, lines, head, cells)
		before := len(t.rows)
		t.cells(line, head, cells, d)
		if len(t.rows) > before {
			t.rows[before].exact, t.rows[before].loose = exact, loose
		}
	}
}

var sepLine = regexp.MustCompile(`^"?sep=(.)"?$`)

// blankAboveHeader takes out what may stand above the header, and is the index
// of that line.
func blankAboveHeader(lines []string, d *dialect) int {
	for i, raw := range lines {
		line := strings.TrimRight(raw, "\r\n")
		sep := sepLine.FindStringSubmatch(line)
		switch trimmed := strings.TrimSpace(line); {
		case sep != nil && slices.Contains(separators, []rune(sep[1])[0]):
			d.comma = []rune(sep[1])[0]
		case trimmed == "" || trimmed[0] == '#':
		default:
			return i
		}
		lines[i] = "\n" // the numbers of the lines below stay
	}
	return len(lines)
}

// headerBehindHash is the line above the first row that would be a header
// without its #, as people make one a comment; 0 where there is none.
func headerBehindHash(lines []string) int {
	for i, raw := range lines {
		line := strings.TrimSpace(raw)
		rest, is := strings.CutPrefix(line, "#")
		if line != "" && !is && !sepLine.MatchString(line) {
			return 0
		}
		if is && slices.ContainsFunc(strings.Split(rest, string(separatorOf(rest))), func(n string) bool { return slices.Contains(columns, columnName(n)) }) {
			return i + 1
		}
	}
	return 0
}

// separatorOf is what makes most known columns of the header.
func separatorOf(header string) rune {
	best, most := separators[0], 0
	for _, comma := range separators {
		r := csv.NewReader(strings.NewReader(header))
		r.Comma, r.LazyQuotes = comma, true
		names, _ := r.Read()
		known := 0
		for _, n := range names {
			if slices.Contains(columns, columnName(n)) {
				known++
			}
		}
		if known > most {
			best, most = comma, known
		}
	}
	return best
}

func columnName(cell string) string { return strings.ToLower(strings.TrimSpace(cell)) }

// blankComments takes out lines below the header that begin with # and a blank
// and hold no separator, where rows have several cells. Without the blank it
// may be the name of an account, whose separators Excel has left out: such a
// row is short, and refused.
func blankComments(lines []string, comma rune) {
	if !strings.ContainsRune(lines[0], comma) {
		return
	}
	quotes := strings.Count(lines[0], `"`)
	for i, line := range lines[1:] {
		if quotes%2 == 0 && comment(line) && !strings.ContainsRune(line, comma) {
			lines[i+1] = "\n"
			continue
		}
		quotes += strings.Count(line, `"`)
	}
}

// comment reports whether a line is one, whatever it holds.
func comment(line string) bool {
	rest, is := strings.CutPrefix(strings.TrimSpace(line), "#")
	return is && (rest == "" || rest[0] == ' ' || rest[0] == '\t' || strings.Trim(rest, "#-=*") == "")
}

// header checks the names of the columns, which it folds. Columns without a
// name are at their place, as "".
func (t *table) header(line int, head []string, d dialect) bool {
	known := 0
	for i := range head {
		head[i] = columnName(head[i])
		if slices.Contains(columns, head[i]) {
			known++
		}
	}
	if known == 0 && slices.ContainsFunc(head, isValue) {
		t.noColumn(line, d.String())
		return false
	}
	before := len(t.errs.List)
	for i, name := range head {
		switch {
		case name == "":
		case slices.Contains(head[:i], name):
			t.problem(line, "column %s appears twice", shownColumn(name))
		default:
			t.column(line, name, known, d.String())
		}
	}
	if len(t.errs.List) == before && known == 0 {
		t.noColumn(line, d.String())
	}
	return len(t.errs.List) == before
}

// isValue reports whether a cell where the header should be is one of a row.
func isValue(cell string) bool {
	return isReference(cell) || cell != "" && !plainWord.MatchString(cell)
}

// plainWord is what a message may repeat of a header: a slip in a name, and
// hardly a secret.
var plainWord = regexp.MustCompile(`^[a-z][a-z _-]{0,30}$`)

func shownColumn(name string) string {
	if plainWord.MatchString(name) {
		return name
	}
	return "(a word of other characters)"
}

// exactAccount is the account of a row with the blanks at its ends, and whether
// it has some outside of quotes. Those before it are gone from the cell.
func exactAccount(r *csv.Reader, lines, head, cells []string) (exact string, loose bool) {
	i := slices.Index(head, "account")
	if i < 0 || i >= len(cells) {
		return "", false
	}
	line, column := r.FieldPos(i)
	text := lines[line-1]
	if strings.HasPrefix(text[column-1:], `"`) {
		return cells[i], false
	}
	before := text[:column-1]
	return cells[i], strings.TrimSpace(cells[i]) != cells[i] || i == 0 && before != "" || i > 0 && !strings.HasSuffix(before, string(r.Comma))
}

// cells takes one row.
func (t *table) cells(line int, head, cells []string, d dialect) {
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if !slices.ContainsFunc(cells, func(c string) bool { return c != "" }) {
		return // a row that a spreadsheet left empty
	}
	for len(cells) > len(head) && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	switch {
	case len(cells) != len(head) && strings.HasPrefix(cells[0], "#"):
		t.problem(line, "has %s where the header has %d (%s): below the header a line that begins with # is a row, for names may begin so, unless a blank follows and the line holds no separator; move comments above the header, or complete the row", cellCount(len(cells)), len(head), d)
		return
	case len(cells) > len(head):
		t.problem(line, "has %s where the header has %d (%s): a value that holds the separator needs double quotes around it", cellCount(len(cells)), len(head), d)
		return
	case len(cells) < len(head):
		t.problem(line, "has %s where the header has %d (%s): write its separators to the end, which Excel leaves out, or complete it if the file was cut off", cellCount(len(cells)), len(head), d)
		return
	}
	out := row{fileLine: line, cells: map[string]string{}}
	for i, c := range cells {
		if head[i] == "" && c != "" {
			t.problem(line, "has a value in column %d, which has no name in the header", i+1)
			return
		}
		out.cells[head[i]] = c
	}
	t.rows = append(t.rows, out)
}

func cellCount(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return plural.Count(n, "cell", "cells")
}

func (t *table) csvError(err error, d dialect) {
	var pe *csv.ParseError
	switch {
	case errors.As(err, &pe):
		t.problem(pe.Line, "not valid CSV (%s): %v; a value with quotes or separators stands in double quotes, and a quote in it is written twice", d, pe.Err)
	default:
		t.problem(0, "has no header line; it must name columns: %s", strings.Join(columns, ", "))
	}
}
