// SPDX-License-Identifier: Apache-2.0
// A fixed number of threads and a bounded queue.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace varve::base {

// Names the calling thread as top and gdb show it (15 bytes at most).
void name_this_thread(const std::string& name);
// Lets the calling thread run only where others leave time: SCHED_BATCH at nice 15. What the system
// refuses is left as it is.
void make_this_thread_low_priority();

// Thread-safe. The destructor runs what is queued, then joins.
class ThreadPool {
 public:
  ThreadPool(std::string name, std::size_t threads, std::size_t queue_max);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // False if the queue is full or the pool is stopping; the task is then not taken.
  [[nodiscard]] bool try_post(std::function<void()> task);
  std::size_t size() const { return threads_.size(); }
  // Whether every task that is queued has a thread that is about to take it.
  bool keeps_up() const;

  // The calling thread works as one of the pool's until leave(): one thread fewer takes tasks
  // meanwhile. Spares the way to another thread and back. False if no thread is free for it.
  [[nodiscard]] bool try_join();
  void leave();

  // Runs body(0) … body(count - 1), on the calling thread and on pool threads that are free, and
  // returns when all are done. Safe to call from a pool thread: the caller makes progress alone.
  // What a body throws (memory that ran out) is thrown here, on the calling thread, after the rest.
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body);

 private:
  struct Task {
    std::function<void()> run;
    const void* job = nullptr;  // the parallel_for it helps with
  };

  void run();
  bool post(Task task);
  void withdraw(const void* job);

  const std::size_t queue_max_;
  mutable std::mutex mutex_;  // guards queue_, busy_ and stopping_
  std::condition_variable wake_;
  std::deque<Task> queue_;
  std::size_t busy_ = 0;  // threads that run a task, and those that have joined; at most size()
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace varve::base
