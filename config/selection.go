package config

// Selection picks credentials of a roll: those that each part takes which is
// given. The zero value gives no part.
type Selection struct {
	// Only are patterns (Matches) on a name: the DN or its first value, the
	// role, the user, a place in Vault. Each has to take something.
	Only   []string `json:"only,omitempty"`
	Wave   string   `json:"wave,omitempty"`   // name of a wave of the roll
	Source string   `json:"source,omitempty"` // name of a source that found it
	Limit  int      `json:"limit,omitempty"`  // the first so many, in the order of rotation; 0: all
}

// Given reports whether any part is given.
func (s Selection) Given() bool {
	return len(s.Only) > 0 || s.Wave != "" || s.Source != "" || s.Limit > 0
}
