package inventory

import "errors"

// naming is an error whose text names an account, and what may be said of it
// where account names may not go.
type naming struct {
	error
	public string
}

func (n *naming) Unwrap() error { return n.error }

// Public words an error of List without the account that it names. ok is false
// for an error whose own text names none.
func Public(err error) (text string, ok bool) {
	var n *naming
	if !errors.As(err, &n) {
		return "", false
	}
	return n.public, true
}
