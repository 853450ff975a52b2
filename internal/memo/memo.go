// Package memo remembers the answer to a question, so that concurrent callers share it.
package memo

import (
	"context"
	"sync"
)

// Of asks a question once and remembers the answer or the error until Forget. The zero value is
// ready for use.
type Of[T any] struct {
	mu    sync.Mutex
	asked bool
	value T
	err   error
}

// Get returns the remembered answer, or asks. Concurrent callers wait for the one that asks. An
// answer is not remembered if ctx has ended.
func (m *Of[T]) Get(ctx context.Context, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked {
		return m.value, m.err
	}
	value, err := ask()
	if ctx.Err() != nil {
		return value, err
	}
	m.value, m.err, m.asked = value, err, true
	return value, err
}

// Peek returns the remembered answer without asking; asked is false if there is none. It waits
// while a question is being asked.
func (m *Of[T]) Peek() (value T, asked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value, m.asked
}

// Forget drops the answer, so that the next Get asks again.
func (m *Of[T]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var zero T
	m.value, m.err, m.asked = zero, nil, false
}

// ByKey is an Of for each key. The zero value is ready for use.
type ByKey[K comparable, T any] struct {
	mu   sync.Mutex
	each map[K]*Of[T]
}

// Get returns the remembered answer for a key, or asks. Questions for different keys do not wait
// for each other.
func (b *ByKey[K, T]) Get(ctx context.Context, key K, ask func() (T, error)) (T, error) {
	return b.of(key).Get(ctx, ask)
}

func (b *ByKey[K, T]) of(key K) *Of[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.each == nil {
		b.each = map[K]*Of[T]{}
	}
	m, ok := b.each[key]
	if !ok {
		m = &Of[T]{}
		b.each[key] = m
	}
	return m
}

// Forget drops the answers of all keys.
func (b *ByKey[K, T]) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.each = nil
}
