package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// OwnMount looks whether Rollcall's own mount is there, and keeps what is
// written to it: a new value that deletes itself while it is the only copy is a
// lost one.
func OwnMount(ctx context.Context, s *ownmount.Store) Check {
	const name = "vault own mount"
	err := requireOwnMount(ctx, s)
	if err == nil {
		return Check{What: name, OK: true, Detail: fmt.Sprintf("%s/ keeps what is written to it", s.Mount())}
	}
	var unready *notReady
	if errors.As(err, &unready) {
		return Check{What: name, Detail: unready.why, Do: unready.do}
	}
	return Check{What: name, Detail: err.Error(), Do: GivePolicy(vault.WorkerPolicy)}
}

// notReady is the error of a mount of ours that is not as `init` leaves it.
type notReady struct{ why, do string }

func (n *notReady) Error() string { return n.why + "; nothing was changed; " + n.do }

// runInit is what to do about a mount that is not there, or not in order.
const runInit = "run `rollcall init` with this campaign file and an administrator's token"

func requireOwnMount(ctx context.Context, s *ownmount.Store) error {
	at := s.Mount() + "/config"
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		if err = s.Fail("read the settings of Rollcall's own mount", at, read, err); !vault.IsKind(err, vault.NotFound) {
			return err
		}
	}
	after, known := deletesAfter(got)
	switch {
	case !known:
		return &notReady{fmt.Sprintf("vault %s: there is no KV v2 mount %s/: Rollcall was not set up here", s.Address(), s.Mount()), runInit}
	case after > 0:
		return &notReady{fmt.Sprintf("vault %s: %s/ deletes what is written to it after %s (delete_version_after), and a new value that is staged there may be the only copy", s.Address(), s.Mount(), after), runInit}
	}
	return nil
}

// deletesAfter reads delete_version_after of a KV v2 mount's settings; known is
// false for anything else.
func deletesAfter(config *vaultapi.Secret) (after time.Duration, known bool) {
	if config == nil {
		return 0, false
	}
	if _, known = config.Data["max_versions"].(json.Number); !known {
		return 0, false
	}
	text, _ := config.Data["delete_version_after"].(string)
	after, err := time.ParseDuration(text)
	return after, text == "" || err == nil
}
