package openapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// Bounds on the memory that clients can have this package use, whatever they ask
// for and however slowly they read.
const (
	// maxReads is how many documents are read of the upstream at a time, and
	// maxWait how long another one waits before it goes on as it is.
	maxReads = 4
	maxWait  = 5 * time.Second
	// maxKept is how many versions are remembered.
	maxKept = 4
	// maxVersions is from how many versions on, remembered or still sent to a
	// client, documents go on as they are. Up to maxReads more may be under way.
	maxVersions = 8
)

// version is a document as clients get it. All who get it share it.
type version struct {
	source   source
	document []byte
	tag      string // its ETag; empty for the document of the upstream as it is

	readers int
	kept    bool
}

// source is what a version depends on.
type source struct {
	digest [sha256.Size]byte // of the document of the upstream
	hosts  string            // see [routes.HostPatterns.Match]
}

// versions are those that are remembered or still sent to a client.
type versions struct {
	reads chan struct{}

	mutex sync.Mutex
	kept  []*version // the last ones used, the newest last
	alive int
}

func newVersions() *versions { return &versions{reads: make(chan struct{}, maxReads)} }

// buffers hold documents of the upstream while they are read.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// begin returns a buffer to read a document into, or nil if there is no room.
// [versions.end] takes it back.
func (v *versions) begin(ctx context.Context) *bytes.Buffer {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case v.reads <- struct{}{}:
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return nil
	}
	if v.full() {
		<-v.reads
		return nil
	}
	return buffers.Get().(*bytes.Buffer)
}

func (v *versions) end(buffer *bytes.Buffer) {
	buffer.Reset()
	buffers.Put(buffer)
	<-v.reads
}

// detach has a buffer count as a version, because it is sent to a client as it is.
// [versions.letGo] ends that.
func (v *versions) detach() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.alive++
	<-v.reads
}

func (v *versions) letGo() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.alive--
}

func (v *versions) full() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.alive >= maxVersions
}

// find returns the version of a source for one more client, or nil.
func (v *versions) find(of source) *version {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	for i, one := range v.kept {
		if one.source == of {
			v.kept = append(append(v.kept[:i:i], v.kept[i+1:]...), one)
			one.readers++
			return one
		}
	}
	return nil
}

// add remembers a version, and returns it for its first client.
func (v *versions) add(one *version) *version {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	one.kept, one.readers = true, 1
	v.alive++
	v.kept = append(v.kept, one)
	if len(v.kept) > maxKept {
		oldest := v.kept[0]
		v.kept = append([]*version(nil), v.kept[1:]...)
		oldest.kept = false
		v.drop(oldest)
	}
	return one
}

// done ends what a client needs a version for.
func (v *versions) done(one *version) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	one.readers--
	v.drop(one)
}

// drop counts a version off that nobody has any more.
func (v *versions) drop(one *version) {
	if !one.kept && one.readers == 0 {
		v.alive--
	}
}
