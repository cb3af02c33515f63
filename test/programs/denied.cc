// Makes a call that a policy denies, through the standard library of C++, from a method in a namespace.
#include <filesystem>

namespace shop {
class Store {
 public:
  __attribute__((noinline)) void open();
  int opened = 0;
};

void Store::open() {
  std::error_code error;
  opened += std::filesystem::create_directory("/nowhere/a", error);
}
}  // namespace shop

int main() {
  shop::Store store;
  store.open();
  return store.opened;
}
