package vault

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
)

// WrittenAt is when Vault wrote a version that was seen before; the zero time
// if the secret has no such version any more because it was deleted with its
// metadata, and made anew or not. known is false where newer versions have
// driven it out.
func (s *Client) WrittenAt(ctx context.Context, p credential.Path, version int) (at time.Time, known bool, err error) {
	const op = "look when a version was written"
	place, err := s.at(ctx, p.Mount, "metadata", p.Path)
	if err != nil {
		return time.Time{}, false, err
	}
	got, err := s.api.Logical().ReadWithContext(ctx, place)
	if err != nil {
		return time.Time{}, false, s.Fail(op, place, Read, err)
	}
	if got == nil {
		return time.Time{}, true, nil
	}
	if meta, ok := nested(got, "versions")[fmt.Sprint(version)].(map[string]any); ok {
		return timeOf(meta["created_time"]), true, nil
	}
	newest, _ := Number(got.Data["current_version"])
	return time.Time{}, newest < version, nil
}
