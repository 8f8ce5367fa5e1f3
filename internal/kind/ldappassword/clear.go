package ldappassword

import (
	"sync"
	"time"
)

// keepsClear remembers whether a directory keeps passwords as they are. That is
// a setting of the server, so one account a while is looked at, and where it
// does, each.
type keepsClear struct {
	mu    sync.Mutex
	does  bool
	after time.Time // when it is looked at again
}

// clearTTL is how long one look serves.
const clearTTL = time.Minute

// ask reports whether an account is to be looked at.
func (k *keepsClear) ask(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.does && now.Before(k.after) {
		return false
	}
	k.after = now.Add(clearTTL)
	return true
}

func (k *keepsClear) saw(clear bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.does = clear
	return clear
}
