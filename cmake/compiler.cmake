# How everything is compiled, but for what a single target adds.

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g") # asserts stay: they guard what shared memory tells us
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion $<$<BOOL:${TRIP_WERROR}>:-Werror>)
include_directories(${PROJECT_SOURCE_DIR}/include)

if(TRIP_SANITIZE)
    add_compile_options(-fsanitize=${TRIP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${TRIP_SANITIZE})
    if(TRIP_SANITIZE STREQUAL thread AND CMAKE_C_COMPILER_ID STREQUAL GNU)
        # It does not follow fences, and says so at each. What they order is words that it sees.
        add_compile_options(-Wno-tsan)
    endif()
endif()
