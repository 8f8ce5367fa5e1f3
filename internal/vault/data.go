package vault

import "encoding/json"

// TextsIn are the texts in a list that Vault answered with.
func TextsIn(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Integer is a number that Vault answered with; 0 if it is none.
func Integer(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, _ := n.Int64()
	return i
}
