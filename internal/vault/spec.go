package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// SpecOwner is what a stored specification belongs to.
type SpecOwner string

// CampaignSpec and ScheduleSpec name owners.
func CampaignSpec(campaign string) SpecOwner { return SpecOwner("campaign/" + campaign) }
func ScheduleSpec(schedule string) SpecOwner { return SpecOwner("schedule/" + schedule) }

const (
	specFolder = "specs"
	specChunk  = 480_000 // bytes before base64; see pageBytes
	opSpec     = "store the specification"
	opReadSpec = "read the specification"
)

// SaveSpec stores a campaign file, as the worker needs it, once: a stored one
// is never changed, and saving over it satisfies AsCAS. What a crash leaves
// half stored is overwritten by the next SaveSpec, because the index is
// written last.
func (s *Store) SaveSpec(ctx context.Context, owner SpecOwner, data []byte) error {
	n := 0
	for rest := data; n == 0 || len(rest) > 0; n++ {
		chunk := rest[:min(len(rest), specChunk)]
		rest = rest[len(chunk):]
		path := specPath(owner, fmt.Sprint(n))
		now, err := s.get(ctx, opSpec, s.mount, path, 0)
		if err != nil {
			return err
		}
		if _, err := s.put(ctx, opSpec, s.mount, path, now.version, map[string]any{"chunk": base64.StdEncoding.EncodeToString(chunk)}); err != nil {
			return err
		}
	}
	_, err := s.put(ctx, opSpec, s.mount, specPath(owner, "index"), 0, map[string]any{"chunks": n})
	return err
}

// LoadSpec reads what SaveSpec stored. Nothing stored: an *Error of kind NotFound.
func (s *Store) LoadSpec(ctx context.Context, owner SpecOwner) ([]byte, error) {
	n, err := s.specChunks(ctx, owner)
	if err != nil {
		return nil, err
	}
	var data []byte
	for i := range n {
		path := specPath(owner, fmt.Sprint(i))
		e, err := s.get(ctx, opReadSpec, s.mount, path, 0)
		if err != nil {
			return nil, err
		}
		text, _ := e.data["chunk"].(string)
		chunk, err := base64.StdEncoding.DecodeString(text)
		if err != nil || e.data == nil {
			return nil, s.odd(opReadSpec, s.mount+"/data/"+path, fmt.Errorf("part %d of %d is missing or unreadable", i, n))
		}
		data = append(data, chunk...)
	}
	return data, nil
}

// DeleteSpec removes a stored specification. None is no error.
func (s *Store) DeleteSpec(ctx context.Context, owner SpecOwner) error {
	names, err := s.names(ctx, opSpec, s.mount, specFolder+"/"+encodeID(string(owner))+"/")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.purge(ctx, opSpec, s.mount, specPath(owner, name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) specChunks(ctx context.Context, owner SpecOwner) (int, error) {
	path := specPath(owner, "index")
	e, err := s.get(ctx, opReadSpec, s.mount, path, 0)
	if err != nil {
		return 0, err
	}
	if e.data == nil {
		return 0, &Error{Op: opReadSpec, Path: s.mount + "/data/" + path, Server: s.api.Address(), Kind: NotFound, Detail: "nothing is stored for " + string(owner)}
	}
	number, ok := e.data["chunks"].(json.Number)
	n, err := number.Int64()
	if !ok || err != nil {
		return 0, s.odd(opReadSpec, s.mount+"/data/"+path, fmt.Errorf("the number of parts is unreadable"))
	}
	return int(n), nil
}

func specPath(owner SpecOwner, name string) string {
	return specFolder + "/" + encodeID(string(owner)) + "/" + name
}

// IsNotFound reports whether err says that Vault holds nothing there.
func IsNotFound(err error) bool { return isKind(err, NotFound) }
