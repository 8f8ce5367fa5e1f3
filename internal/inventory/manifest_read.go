package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// readCSV reads comma separated values (RFC 4180) with a header line. Lines
// that begin with # are comments.
func (t *table) readCSV(text []byte) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace = '#', -1, true
	head, err := r.Read()
	if err != nil {
		t.csvError(err)
		return
	}
	for i, name := range head {
		head[i] = strings.ToLower(strings.TrimSpace(name))
		line, _ := r.FieldPos(i)
		if t.header(line, head[i]) && slices.Contains(head[:i], head[i]) {
			t.problem(line, "column %s appears twice", head[i])
		}
	}
	if len(t.errs.List) > 0 {
		return // every line would be wrong
	}
	for {
		cells, err := r.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.csvError(err)
			}
			return
		}
		line, _ := r.FieldPos(0)
		if len(cells) != len(head) {
			t.problem(line, "has %d cells where the header has %d", len(cells), len(head))
			continue
		}
		out := row{line: line, cells: map[string]string{}}
		for i, c := range cells {
			out.cells[head[i]] = strings.TrimSpace(c)
		}
		t.rows = append(t.rows, out)
	}
}

func (t *table) csvError(err error) {
	var pe *csv.ParseError
	switch {
	case errors.As(err, &pe):
		t.problem(pe.Line, "not valid CSV: %v", pe.Err)
	default:
		t.problem(0, "has no header line; it must name columns: %s", strings.Join(columns, ", "))
	}
}

// readYAML reads a list of mappings. Messages never repeat text of the file.
func (t *table) readYAML(text []byte) {
	var doc yaml.Node
	err := yaml.Load(text, &doc)
	if err != nil || len(doc.Content) != 1 {
		line := 0
		var le *yaml.LoadError
		if errors.As(err, &le) {
			line = le.Mark.Line
		}
		t.problem(line, "not valid YAML: a manifest is one list, each item a mapping of %s", strings.Join(columns, ", "))
		return
	}
	list := doc.Content[0]
	if list.Kind != yaml.SequenceNode {
		t.problem(list.Line, "must be a list: each credential begins with \"- \"")
		return
	}
	for _, item := range list.Content {
		if item.Kind != yaml.MappingNode {
			t.problem(item.Line, "must be a mapping of %s", strings.Join(columns, ", "))
			continue
		}
		t.rows = append(t.rows, t.yamlRow(item))
	}
}

func (t *table) yamlRow(item *yaml.Node) row {
	r := row{line: item.Line, cells: map[string]string{}}
	for i := 0; i+1 < len(item.Content); i += 2 {
		k, v := item.Content[i], item.Content[i+1]
		if !t.header(k.Line, k.Value) {
			continue
		}
		if _, ok := r.cells[k.Value]; ok {
			t.problem(k.Line, "duplicate key %s", k.Value)
			continue
		}
		r.cells[k.Value] = ""
		if v.Kind != yaml.ScalarNode || v.Tag == "!!null" || v.Tag == "!!bool" {
			t.problem(v.Line, "%s: must be text; quote it if it looks like something else", k.Value)
			continue
		}
		r.cells[k.Value] = strings.TrimSpace(v.Value)
	}
	return r
}
