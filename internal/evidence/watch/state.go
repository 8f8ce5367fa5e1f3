package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"rollcall/internal/evidence/follow"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/wholefile"
)

// Files of the state folder.
const (
	stateFile = "watch.json"
	lockFile  = "watch.lock"
)

// state is what is kept across restarts: how far each log was read, and what
// was told, as of one moment. It is written whole or not at all.
type state struct {
	Saved time.Time            `json:"saved"`
	Logs  map[string]*position `json:"logs"`
	judge.Memory
	Troubles map[string]*trouble `json:"troubles,omitempty"`
	// Telling was about to be told when this was written: it is told again,
	// under the same ids.
	Telling *Batch `json:"telling,omitempty"`
	// Readings are what a ledger is told, the newest last: others of an earlier
	// campaign's roll, of which it has not all.
	Readings []*reading `json:"readings,omitempty"`
	// Unshown was told to receivers, and is to be shown yet.
	Unshown []Batch `json:"unshown,omitempty"`
}

// position is how far a log was read, by its path.
type position struct {
	Parts []follow.Position `json:"parts,omitempty"`
	// Last is when a line came that was understood.
	Last time.Time `json:"last,omitzero"`
}

// hold takes the folder for this process.
func hold(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another watch keeps its state in %s: end it first, or say another folder with --state", folder)
	}
	return f, nil
}

// load reads the state; an empty one where there is none.
func load(folder string) (*state, error) {
	s := &state{Logs: map[string]*position{}, Troubles: map[string]*trouble{}}
	path := filepath.Join(folder, stateFile)
	wholefile.Forget(path)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, s); err != nil || s.Logs == nil {
		return nil, fmt.Errorf("%s is no state of a watch: move it away, and reading begins at the end of each file; what was written meanwhile is for `rollcall evidence`", path)
	}
	if s.Troubles == nil {
		s.Troubles = map[string]*trouble{}
	}
	return s, nil
}

// save writes the state.
func (s *state) save(folder string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return wholefile.Write(filepath.Join(folder, stateFile), text, 0o600)
}
