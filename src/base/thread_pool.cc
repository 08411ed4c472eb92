// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <memory>

namespace varve::base {

void name_this_thread(const std::string& name) {
  ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
}

void make_this_thread_low_priority() {
  sched_param parameters{};
  (void)::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &parameters);
  // On Linux a priority is a thread's own.
  constexpr int kNice = 15;
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice);
}

ThreadPool::ThreadPool(std::string name, std::size_t threads, std::size_t queue_max)
    : queue_max_(queue_max) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, thread_name = name + std::to_string(i)] {
      name_this_thread(thread_name);
      run();
    });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::try_post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

bool ThreadPool::keeps_up() const {
  const std::lock_guard lock(mutex_);
  return idle_ >= queue_.size();
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    std::function<void()> task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

void ThreadPool::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  struct Job {
    const std::function<void(std::size_t)>* body;
    std::size_t count;
    std::atomic<std::size_t> next{0};
    std::mutex mutex;  // guards done, failure and body's lifetime
    std::condition_variable finished;
    std::size_t done = 0;
    std::exception_ptr failure;

    void work() {
      std::size_t completed = 0;
      std::exception_ptr thrown;
      for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
        try {
          (*body)(i);
        } catch (...) {
          thrown = std::current_exception();
        }
        ++completed;
      }
      if (completed == 0) return;
      const std::lock_guard lock(mutex);
      if (thrown != nullptr) failure = std::move(thrown);
      done += completed;
      if (done == count) finished.notify_all();
    }
  };
  if (count == 0) return;
  auto job = std::make_shared<Job>();
  job->body = &body;
  job->count = count;
  const std::size_t helpers = std::min(count - 1, threads_.size());
  for (std::size_t i = 0; i < helpers; ++i) {
    // A helper that starts after all indices are taken touches only the job, which it shares.
    if (!try_post([job] { job->work(); })) break;
  }
  job->work();
  std::unique_lock lock(job->mutex);
  job->finished.wait(lock, [&] { return job->done == count; });
  if (job->failure != nullptr) std::rethrow_exception(job->failure);
}

}  // namespace varve::base
