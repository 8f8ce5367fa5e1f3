package inventory

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
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

// yamlEnds are the ends of a task as a list: each its name, or a mapping of
// name and owner. Never nil.
func (t *table) yamlEnds(list *yaml.Node) []credential.TaskEnd {
	out := []credential.TaskEnd{}
	plain := func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag != "!!null" && n.Tag != "!!bool" }
	for _, item := range list.Content {
		switch {
		case plain(item):
			out = append(out, credential.TaskEnd{Name: strings.TrimSpace(item.Value)})
		case item.Kind == yaml.MappingNode:
			var e credential.TaskEnd
			for i := 0; i+1 < len(item.Content); i += 2 {
				k, v := item.Content[i], item.Content[i+1]
				switch {
				case !plain(v):
					t.problem(v.Line, "ends: must be text; quote it if it looks like something else")
				case k.Value == "name":
					e.Name = strings.TrimSpace(v.Value)
				case k.Value == "owner":
					e.Owner = strings.TrimSpace(v.Value)
				default:
					t.problem(k.Line, "ends: an end has name and owner")
				}
			}
			out = append(out, e)
		default:
			t.problem(item.Line, "ends: each is a name, or a mapping of name and owner")
		}
	}
	return out
}

func (t *table) yamlRow(item *yaml.Node) row {
	r := row{fileLine: item.Line, cells: map[string]string{}}
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
		if k.Value == "ends" && v.Kind == yaml.SequenceNode {
			r.ends = t.yamlEnds(v)
			continue
		}
		if (k.Value == "make" || k.Value == "new" || k.Value == "suggested") && v.Kind == yaml.ScalarNode && v.Tag == "!!bool" {
			r.cells[k.Value] = v.Value
			continue
		}
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
