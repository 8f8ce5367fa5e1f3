package inventory

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"
)

// readYAML reads a list of mappings. Messages never repeat text of the file.
func (t *table) readYAML(text string) {
	var doc yaml.Node
	err := yaml.Load([]byte(text), &doc)
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
		if !t.column(k.Line, k.Value, 1, "") {
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
		if k.Value == "account" {
			r.exact = v.Value // only in quotes can it have blanks at its ends
		}
	}
	return r
}
