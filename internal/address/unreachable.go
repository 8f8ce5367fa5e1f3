package address

import (
	"errors"
	"fmt"
)

// Unreachable is a server that cannot be reached, or an answer that was lost.
type Unreachable struct {
	Server, What string
	Err          error
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("%s at %s: the server does not answer: %v", e.What, e.Server, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

// IsUnreachable reports whether err means that a server could not be reached or
// that its answer was lost. After a change the caller must look whether it was
// applied.
func IsUnreachable(err error) bool {
	var u *Unreachable
	return errors.As(err, &u)
}
