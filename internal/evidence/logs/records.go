package logs

import (
	"bufio"
	"bytes"
	"encoding/csv"

	"rollcall/internal/evidence/event"
)

// records puts the records of a CSV together, behind a head in each file.
type records struct {
	// isHead reads a line as the names of columns; nil where it is none.
	isHead func(line []byte) (head []string, comma rune)
	// perLine: each line is a record, with as many columns as the head, or none
	// that can be read. Else one may stand on several lines.
	perLine bool

	file    string
	head    []string
	comma   rune
	first   []byte // the head's line
	pending []byte
	reader  csvReader
	quotes  int         // in pending
	since   event.Place // where the record begins
}

// maxPending bounds a record that stands on several lines.
const maxPending = 1 << 20

// add takes a line. row is the record that it ends, nil where it ends none; ok
// is false where it is none that can be read.
func (r *records) add(line []byte, place event.Place) (row []string, ok bool) {
	if place.File != r.file {
		r.file, r.head, r.pending = place.File, nil, r.pending[:0]
	}
	if len(r.pending) == 0 {
		if len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("#TYPE ")) {
			return nil, true
		}
		if r.head == nil || bytes.Equal(line, r.first) {
			if head, comma := r.isHead(line); head != nil {
				r.head, r.comma, r.first = head, comma, bytes.Clone(line)
				return nil, true
			}
		}
		r.since, r.quotes = place, 0
	}
	if r.head == nil {
		return nil, false
	}
	if r.perLine {
		row, err := r.reader.row(line, r.comma)
		return row, err == nil && len(row) == len(r.head)
	}
	if len(r.pending)+len(line) > maxPending {
		r.pending = r.pending[:0]
		return nil, false
	}
	r.pending = append(append(r.pending, line...), '\n')
	if r.quotes += bytes.Count(line, []byte(`"`)); r.quotes%2 == 1 {
		return nil, true // it goes on
	}
	row, err := r.reader.row(r.pending, r.comma)
	r.pending = r.pending[:0]
	return row, err == nil
}

// csvReader reads records that are known to be whole, one at a time.
type csvReader struct {
	of bytes.Reader
	in *bufio.Reader // which encoding/csv takes as it is, and makes none
}

func (c *csvReader) row(record []byte, comma rune) ([]string, error) {
	if c.of.Reset(record); c.in == nil {
		c.in = bufio.NewReader(&c.of)
	} else {
		c.in.Reset(&c.of)
	}
	r := csv.NewReader(c.in)
	r.Comma, r.FieldsPerRecord = comma, -1
	return r.Read()
}

func csvRow(record []byte, comma rune) ([]string, error) { return (&csvReader{}).row(record, comma) }
