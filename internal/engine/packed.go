package engine

import (
	"bytes"
	"compress/zlib"
	"io"
	"sync"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// packed compresses payloads as the SDK's own codec does, byte for byte, and
// leaves decoding to it. The SDK makes a compressor for each payload, which is
// 800 kB each time: a twelfth of all that a worker allocated.
type packed struct {
	converter.PayloadCodec
	writers sync.Pool
}

const packedEncoding = "binary/zlib"

func newPacked() *packed {
	return &packed{
		PayloadCodec: converter.NewZlibCodec(converter.ZlibCodecOptions{}),
		writers:      sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }},
	}
}

// Encode leaves as it is what would not be smaller.
func (c *packed) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		small, err := c.compress(plain)
		if err != nil {
			return nil, err
		}
		if out[i] = p; len(small) < len(plain) {
			out[i] = &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(packedEncoding)}, Data: small}
		}
	}
	return out, nil
}

func (c *packed) compress(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w := c.writers.Get().(*zlib.Writer)
	defer c.writers.Put(w)
	w.Reset(&b)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err := w.Close()
	w.Reset(io.Discard) // it keeps no payload alive
	return b.Bytes(), err
}
