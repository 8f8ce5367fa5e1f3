package engine

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"rollcall/internal/credential"
)

const (
	sealedEncoding = "binary/rollcall-aes-256-gcm"
	// sealedFor binds ciphertexts to their purpose. It names no workflow: a
	// schedule's arguments are encoded under another id than they run with.
	sealedFor = "rollcall temporal payload v1"
)

// Converters returns the data converter and the failure converter of every
// client and worker: payloads are compressed and, with a key, sealed with
// AES-256-GCM; failures travel as payloads too, so that their text is treated
// alike. A zero key means no sealing. The error means that the key is not 32
// bytes in base64.
func Converters(key credential.Secret) (converter.DataConverter, converter.PayloadCodec, error) {
	codecs := []converter.PayloadCodec{newPacked()}
	if !key.IsZero() {
		seal, err := newSeal(key)
		if err != nil {
			return nil, nil, err
		}
		// The converter encodes from last to first: compress, then seal.
		codecs = append([]converter.PayloadCodec{seal}, codecs...)
	}
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codecs...), codecs[0], nil
}

// seal is a PayloadCodec. What it did not seal it passes on when decoding, so
// that a campaign started before a key was set can still be read.
type seal struct{ aead cipher.AEAD }

func newSeal(key credential.Secret) (*seal, error) {
	raw, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil || len(raw) != 32 {
		return nil, errors.New("the payload key must be 32 random bytes in base64")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &seal{aead}, err
}

func (s *seal) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		nonce := make([]byte, s.aead.NonceSize())
		if _, err := rand.Read(nonce); err != nil {
			return nil, err
		}
		out[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(sealedEncoding)},
			Data:     s.aead.Seal(nonce, nonce, plain, []byte(sealedFor)),
		}
	}
	return out, nil
}

func (s *seal) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != sealedEncoding {
			out[i] = p
			continue
		}
		n := s.aead.NonceSize()
		if len(p.Data) < n {
			return nil, errors.New("a sealed payload is cut short")
		}
		plain, err := s.aead.Open(nil, p.Data[:n], p.Data[n:], []byte(sealedFor))
		if err != nil {
			return nil, fmt.Errorf("a sealed payload does not open: it was sealed with another key: %w", err)
		}
		out[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
